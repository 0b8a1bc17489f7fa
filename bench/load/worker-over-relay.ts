// What a call costs the worker SDK: its caller half and its executor half, each in a process of its own, over a router in a
// third: a relay that forwards frames without looking inside, or the engine.
//
//   node dist/bench/load/worker-over-relay.js [outstanding = 64] [seconds = 3] [payload bytes = 128] [relay | engine]
//
// Every process reports its own CPU time per call.

import uws from "uWebSockets.js";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Packr, Unpackr } from "msgpackr";
import { startEngine } from "../../src/engine.js";
import { createLogger } from "../../src/log.js";
import { connect } from "../../src/worker/index.js";

const ROLE = "TERCET_BENCH_ROLE";
const WARM_UP_MS = 1_000;

interface Report {
  cpuUs: number;
  calls: number;
  wallMs: number;
}

/** Answers hello, register and resolve; every other frame goes to the other connection as it is. */
function relay(): void {
  const packr = new Packr({ useRecords: false });
  const unpackr = new Unpackr({ useRecords: false });
  const handles = new Uint8Array([0, 0, 0x10, 0x2a]);
  const sockets: uws.WebSocket<{ index: number }>[] = [];
  const answer = (socket: uws.WebSocket<{ index: number }>, record: unknown): void => {
    socket.send(packr.pack(record), true);
  };
  const app = uws.App().ws<{ index: number }>("/*", {
    maxBackpressure: 0, // no bound
    maxPayloadLength: 16 * 1024 * 1024,
    upgrade: (response, request, context) => {
      const [key, protocol, extensions] = ["key", "protocol", "extensions"].map((name) =>
        request.getHeader(`sec-websocket-${name}`),
      );
      response.upgrade({ index: -1 }, key ?? "", protocol ?? "", extensions ?? "", context);
    },
    open: (socket) => {
      socket.getUserData().index = sockets.push(socket) - 1;
    },
    message: (socket, message) => {
      const bytes = new Uint8Array(message);
      // A hot record has its kind, below 16, behind an array head; only the first frames hold others.
      if (bytes[1]! < 16 && bytes[7] !== 0xa5) {
        sockets[1 - socket.getUserData().index]?.send(message, true);
        return;
      }
      for (const [kind, request] of unpackr.unpackMultiple(bytes) as unknown[][]) {
        if (kind === 16) answer(socket, [17, { version: 1, worker: "w", number: 1, token: "t", limits: {} }]);
        else if (kind === 18) answer(socket, [19, request, handles, new Uint8Array(1)]);
        else if (kind === 22) answer(socket, [23, request, handles]);
        else if (kind === 1) answer(socket, [2, request, Buffer.from(packr.pack(null))]);
      }
    },
  });
  app.listen("127.0.0.1", 0, (listening) => {
    if (listening === false) throw new Error("The relay cannot listen");
    process.send?.({ port: uws.us_socket_local_port(listening) });
  });
}

async function engine(): Promise<void> {
  const { listeners } = await startEngine({
    listeners: [{ host: "127.0.0.1", port: 0 }],
    log: createLogger({ level: "silent" }),
  });
  process.send?.({ port: listeners[0]?.port });
}

async function executor(url: string): Promise<void> {
  const worker = await connect({ url });
  await worker.register("bench", (data) => data).ready();
  process.send?.({ ready: true });
}

async function caller(url: string, outstanding: number, seconds: number, size: number): Promise<void> {
  const worker = await connect({ url });
  const data = { text: "x".repeat(Math.max(0, size - 8)) };
  await worker.call("bench", data);
  let calls = 0;
  let stop = false;
  const loop = async (): Promise<void> => {
    while (!stop) {
      const answer = await worker.call<{ text: string }>("bench", data);
      if (answer.text.length !== data.text.length) throw new Error("The answer is not what was sent");
      calls++;
    }
  };
  const loops = Array.from({ length: outstanding }, loop);
  await sleep(WARM_UP_MS);
  process.send?.({ measure: true });
  const [cpu, callsBefore, startMs] = [process.cpuUsage(), calls, performance.now()];
  await sleep(seconds * 1_000);
  const { user, system } = process.cpuUsage(cpu);
  const report: Report = {
    cpuUs: user + system,
    calls: calls - callsBefore,
    wallMs: performance.now() - startMs,
  };
  process.send?.({ report });
  stop = true;
  await Promise.all(loops);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A child that counts its CPU time between two messages. */
function reportOnRequest(): void {
  let cpu = process.cpuUsage();
  process.on("message", (message) => {
    if (message === "start") cpu = process.cpuUsage();
    if (message !== "stop") return;
    const { user, system } = process.cpuUsage(cpu);
    process.send?.({ cpuUs: user + system });
  });
}

async function main(args: readonly string[]): Promise<void> {
  const [outstanding = 64, seconds = 3, size = 128] = args.slice(0, 3).map(Number);
  const router = args[3] ?? "relay";
  const children: ChildProcess[] = [];
  const start = (role: string, ...more: (string | number)[]): ChildProcess => {
    const child = fork(fileURLToPath(import.meta.url), more.map(String), {
      env: { ...process.env, [ROLE]: role },
    });
    children.push(child);
    return child;
  };
  try {
    const relaying = start(router);
    const { port } = await message<{ port: number }>(relaying, "port");
    const url = `ws://127.0.0.1:${port}`;
    const executing = start("executor", url);
    await message(executing, "ready");
    const calling = start("caller", url, outstanding, seconds, size);
    await message(calling, "measure");
    for (const child of [relaying, executing]) child.send("start");
    const { report } = await message<{ report: Report }>(calling, "report");
    for (const child of [relaying, executing]) child.send("stop");
    const others = await Promise.all(
      [relaying, executing].map((child) => message<{ cpuUs: number }>(child, "cpuUs")),
    );
    const perCall = (cpuUs: number): string => `${(cpuUs / report.calls).toFixed(2).padStart(8)} µs a call`;
    console.log(
      `${outstanding} outstanding, ${size} B: ${Math.round((report.calls / report.wallMs) * 1_000)} calls/s`,
    );
    console.log(`  caller   ${perCall(report.cpuUs)}`);
    console.log(`  executor ${perCall(others[1]?.cpuUs ?? Number.NaN)}`);
    console.log(`  ${router.padEnd(8)} ${perCall(others[0]?.cpuUs ?? Number.NaN)}`);
  } finally {
    for (const child of children) child.kill();
  }
}

/** The next message that has the member. */
async function message<T>(child: ChildProcess, member: string): Promise<T> {
  for (;;) {
    const [received] = await once(child, "message");
    if (member in received) return received;
  }
}

const [first = "", ...rest] = process.argv.slice(2);
const role = process.env[ROLE];
if (role !== undefined) reportOnRequest();
if (role === "relay") relay();
else if (role === "engine") await engine();
else if (role === "executor") await executor(first);
else if (role === "caller") {
  const [outstanding = 0, seconds = 0, size = 0] = rest.map(Number);
  await caller(first, outstanding, seconds, size);
} else await main(process.argv.slice(2));
