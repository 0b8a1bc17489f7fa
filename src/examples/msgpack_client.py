"""The msgpack protocol in one page of Python: offers py::shout, then calls math::add of the example worker.

Written from src/protocol/PROTOCOL.md, in the general form. Needs `pip install msgpack websockets`; run it beside `npm start`.
"""

import asyncio
import os

import msgpack
from websockets.asyncio.client import connect

CALL, RESULT, ERROR, HELLO, REGISTER, REGISTERED = 1, 2, 3, 16, 18, 19
pack, unpack = msgpack.packb, msgpack.unpackb


def shout(data):
    return data["text"].upper() + "!"


async def main():
    url = os.environ.get("III_URL", "ws://127.0.0.1:49134")
    async with connect(url, subprotocols=["tercet.msgpack.v1"], compression=None) as socket:

        async def send(*records):  # a frame is one or more records, back to back
            await socket.send(b"".join(map(pack, records)))

        await send(
            [HELLO, {"version": 1, "name": "python-example"}],
            [REGISTER, 1, 1, [["py::shout", "Shouts", None, None, None, None]]],
            [CALL, 7, "math::add", 5000, 0, None, pack({"a": 2, "b": 3})],
        )
        handlers = {}  # by the handle that the engine gave our function
        async for frame in socket:
            records = msgpack.Unpacker()
            records.feed(frame)
            for kind, *fields in records:
                if kind == REGISTERED:
                    handlers[int.from_bytes(fields[1][:4], "big")] = shout
                elif kind == CALL:
                    ticket, handle, _timeout_ms, _caller, _context, payload = fields
                    await send([RESULT, ticket, pack(handlers[handle](unpack(payload)))])
                elif kind in (RESULT, ERROR):
                    print("result" if kind == RESULT else "error", fields[0], unpack(fields[1]), flush=True)


asyncio.run(main())
