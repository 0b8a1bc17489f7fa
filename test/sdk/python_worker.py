"""A worker of the official Python SDK for python.test.ts: functions that answer, fail and hang, and commands on standard input.

Writes what happens to standard output, a line each; worker-program.ts tells the commands and the lines, which the workers
of the other languages share. Where the engine is, its name and its namespace stand in the environment.
"""

import asyncio
import json
import logging
import math
import os
import sys
import threading

from iii import InitOptions, RegistrationRejectedError, register_worker
from iii.helpers import create_channel
from iii.trigger import TriggerHandler
from iii_helpers.http import HttpInvocationConfig
from iii_helpers.observability import ReconnectionConfig

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
PREFIX = os.environ.get("PREFIX", "py")
PART_BYTES = 100_000
STATUS = '{"type":"set_status","status_code":202}'


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


async def event(data):
    say(f"event {json.dumps(data, separators=(',', ':'))}")


async def sum_of(data):
    received = await data["body"].read_all()
    return {"bytes": len(received), "sum": sum(received)}


async def stream(data):
    writer = data["response"]
    await writer.send_message_async(STATUS)
    await writer.write(b"got ")
    await writer.write(b"it")
    await writer.close_async()


def request_of(data):
    request = {key: data[key] for key in ("function_id", "payload", "timeout_ms", "namespace") if key in data}
    if data.get("void"):
        request["action"] = {"type": "void"}
    if data.get("nan"):
        request["payload"] = {"value": math.nan}
    return request


def ended(error):
    return {"kind": type(error).__name__, "code": getattr(error, "code", "OTHER"), "text": str(error)}


async def call(data):
    """Calls what the test wants called; tells how it ended."""
    try:
        return {"result": await worker.trigger_async(request_of(data))}
    except Exception as error:  # the test looks at whatever it is
        return ended(error)


class Provider(TriggerHandler):
    """Tells of every trigger and its end; refuses the path "taken"."""

    async def register_trigger(self, config):
        if isinstance(config.config, dict) and config.config.get("path") == "taken":
            raise ValueError("path conflict: taken")
        told = {key: getattr(config, key) for key in ("id", "function_id", "config", "metadata")}
        say(f"bound {json.dumps(told)}")

    async def unregister_trigger(self, config):
        say(f"unbound {config.id}")


class Commands:
    """What standard input may ask for."""

    def __init__(self):
        self.offered = {}
        self.bound = []

    def run(self, command):
        try:
            return getattr(self, command["do"])(command)
        except Exception as error:  # the test looks at whatever it is
            return ended(error)

    def call(self, command):
        return {"result": worker.trigger(request_of(command))}

    def offer(self, command):
        self.offered[command["id"]] = worker.register_function(command["id"], echo)

    def offer_http(self, command):
        self.offered[command["id"]] = worker.register_function(command["id"], HttpInvocationConfig(url=command["url"]))

    def withdraw(self, command):
        self.offered.pop(command["id"]).unregister()

    def provide(self, command):
        worker.register_trigger_type({"id": command["type"], "description": "of a Python worker"}, Provider())

    def bind(self, command):
        request = {key: command[key] for key in ("type", "function_id", "config", "metadata") if key in command}
        self.bound.append(worker.register_trigger(request))

    def unbind(self, command):
        self.bound.pop(0).unregister()

    def pump(self, command):
        """Makes a channel, calls a function with its reader, and writes `bytes` bytes of `fill` to it."""
        channel = create_channel(worker)

        async def write():
            left = command["bytes"]
            while left > 0:
                part = min(left, PART_BYTES)
                await channel.writer.write(bytes([command["fill"]]) * part)
                left -= part
            await channel.writer.close_async()

        return {"result": called_beside(command, {"body": channel.reader_ref.model_dump()}, write)[0]}

    def pull(self, command):
        """Makes a channel, calls a function with its writer, and reads what comes."""
        channel = create_channel(worker, 4)
        messages = []
        channel.reader.on_message(messages.append)
        _, received = called_beside(command, {"response": channel.writer_ref.model_dump()}, channel.reader.read_all)
        return {"messages": messages, "text": received.decode()}


def called_beside(command, payload, work):
    """What the function answers, and what the work beside the call gives."""
    answers = []
    request = {"function_id": command["function_id"], "payload": payload}
    calling = threading.Thread(target=lambda: answers.append(worker.trigger(request)))
    calling.start()
    done = asyncio.run(work())
    calling.join()
    return answers[0], done


token = os.environ.get("TOKEN")
try:
    worker = register_worker(
        os.environ["III_URL"],
        InitOptions(
            worker_description="a Python worker",
            otel={"enabled": False},
            enable_metrics_reporting=False,
            reconnection_config=ReconnectionConfig(initial_delay_ms=50, max_delay_ms=200),
            headers={"Authorization": f"Bearer {token}"} if token else None,
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
    "hang": hang,
    "metadata": metadata_of,
    "event": event,
    "sum": sum_of,
    "stream": stream,
    "call": call,
}.items():
    worker.register_function(f"{PREFIX}::{name}", handler, description=f"{name} of a Python worker")
if os.environ.get("NAN"):
    worker.register_function(f"{PREFIX}::nan", not_a_number)

commands = Commands()
for line in sys.stdin:  # lives until its standard input ends
    say(f"answer {json.dumps(commands.run(json.loads(line)))}")
worker.shutdown()
say("shut down")
