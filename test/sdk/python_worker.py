"""A worker of the official Python SDK for python.test.ts: functions that answer, fail and hang, and one that calls for the test.

Writes its connection states to standard output, a line each ("state connected"), and refusals ("rejected CODE").
Where the engine is, its name and its namespace stand in the environment.
"""

import asyncio
import logging
import math
import os
import sys

from iii import InitOptions, RegistrationRejectedError, register_worker
from iii_helpers.observability import ReconnectionConfig

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
PREFIX = os.environ.get("PREFIX", "py")


def say(text):
    # One write a line: the SDK reports states from threads of its own, and print() writes text and line end apart.
    os.write(1, f"{text}\n".encode())


async def echo(data):
    return data


async def fails(data):
    raise ValueError("no such order")


async def nothing(data):
    return None


async def not_a_number(data):
    return {"value": math.nan}


async def hang(data):
    say("hanging")
    await asyncio.sleep(3600)


async def metadata_of(data, metadata=None):
    return metadata


async def call(data):
    """Calls what the test wants called; tells how it ended."""
    request = {key: data[key] for key in ("function_id", "payload", "timeout_ms", "namespace") if key in data}
    if data.get("nan"):
        request["payload"] = {"value": math.nan}
    try:
        return {"result": await worker.trigger_async(request)}
    except Exception as error:  # the test looks at whatever it is
        return {"kind": type(error).__name__, "code": getattr(error, "code", None), "text": str(error)}


try:
    worker = register_worker(
        os.environ["III_URL"],
        InitOptions(
            worker_description="a Python worker",
            otel={"enabled": False},
            enable_metrics_reporting=False,
            reconnection_config=ReconnectionConfig(initial_delay_ms=50, max_delay_ms=200),
        ),
    )
except RegistrationRejectedError as error:
    say(f"rejected {error.code}")
    sys.exit(3)

worker.add_connection_state_listener(lambda state: say(f"state {state}"))
for name, handler in {
    "echo": echo,
    "fails": fails,
    "nothing": nothing,
    "nan": not_a_number,
    "hang": hang,
    "metadata": metadata_of,
    "call": call,
}.items():
    worker.register_function(f"{PREFIX}::{name}", handler, description=f"{name} of a Python worker")

for line in sys.stdin:  # lives until its standard input ends
    pass
worker.shutdown()
say("shut down")
