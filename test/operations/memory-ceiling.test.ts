// The memory ceiling: when new work is refused and when it is taken again, who is cut; and a real flood against a process with a low one.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { createLogger } from "../../src/log.js";
import { MemoryCeiling, type MemoryParts } from "../../src/operations/memory-ceiling.js";
import { LIMITS } from "../../src/protocol/limits.js";
import { eventually } from "../support/eventually.js";
import { FakeClock } from "../support/fake-clock.js";
import { errorOf, MsgpackPeer, pack } from "../support/msgpack-peer.js";
import { tercet } from "../support/tercet.js";
import { canonicalAnswer, canonicalCall, records } from "../support/wire.js";

const MIB = 1 << 20;
/** Half a gigabyte goes through three processes: on a busy machine that takes a while. */
const BOUND_MS = 40_000;

/** A ceiling of 1,000 MiB over parts that are nothing but figures. */
function scripted(residentMib: number) {
  const outbox = (buffered: number) => ({ buffered, isOverrun: false, overrun: () => cut.push(buffered) });
  const cut: number[] = [];
  const figures = {
    resident: residentMib * MIB,
    server: {
      outboxes: {
        bufferedBytes: 0,
        alarmBytes: 0,
        alarm: () => undefined,
        attach: () => undefined,
        schedule: () => undefined,
      },
      waiting: { bytes: 0 },
      connections: [undefined, { outbox: outbox(10 * MIB) }, { outbox: outbox(900 * MIB) }],
      isMemoryNear: false,
    },
    calls: { queues: { bytes: 0, length: 0 }, isMemoryNear: false },
    channels: { queuedBytes: 0 },
    cut,
  };
  const parts = {
    ...figures,
    clock: new FakeClock(),
    log: createLogger({ level: "silent" }),
    residentBytes: () => figures.resident,
  } as unknown as MemoryParts; // figures stand for the parts that hold them
  const ceiling = new MemoryCeiling({ ...LIMITS, memoryBytesMax: 1_000 * MIB }, parts);
  return { ...figures, figures, ceiling };
}

test("new work is refused when what waits leaves too little of the ceiling, and taken again when enough has gone", () => {
  const { ceiling, server, calls, channels } = scripted(350);
  server.outboxes.bufferedBytes = 50 * MIB;
  channels.queuedBytes = 299 * MIB;
  ceiling.look();
  assert.equal(ceiling.isNear, false, "700 - 350 = 350 MiB may wait");
  calls.queues.bytes = 2 * MIB;
  ceiling.look();
  assert.deepEqual([ceiling.isNear, calls.isMemoryNear, server.isMemoryNear], [true, true, true]);
  channels.queuedBytes = 250 * MIB;
  ceiling.look();
  assert.equal(ceiling.isNear, true, "302 of 350: not enough");
  channels.queuedBytes = 100 * MIB;
  ceiling.look();
  assert.deepEqual([ceiling.isNear, calls.isMemoryNear, server.isMemoryNear], [false, false, false]);
});

test("a process that is large for other reasons still takes an eighth of its ceiling", () => {
  const { ceiling, figures, server } = scripted(350);
  figures.resident = 5_000 * MIB;
  ceiling.sample();
  server.outboxes.bufferedBytes = 120 * MIB;
  ceiling.look();
  assert.equal(ceiling.isNear, false);
  server.outboxes.bufferedBytes = 130 * MIB;
  ceiling.look();
  assert.equal(ceiling.isNear, true);
});

test("at the ceiling whoever has most waiting goes first, and nobody else for no reason", () => {
  const { ceiling, server, cut } = scripted(50);
  server.outboxes.bufferedBytes = 740 * MIB;
  ceiling.look();
  assert.deepEqual([ceiling.isNear, cut], [true, []], "near it is not at it");
  server.outboxes.bufferedBytes = 760 * MIB;
  ceiling.look();
  assert.deepEqual(cut, [900 * MIB]);
});

/** Resident memory of a process, in bytes. */
function residentBytes(pid: number): number {
  const [, pages = "0"] = readFileSync(`/proc/${pid}/statm`, "latin1").split(" ");
  return Number(pages) * 4_096;
}

function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

async function connected(t: TestContext, port: number): Promise<MsgpackPeer> {
  const peer = await MsgpackPeer.connect(port);
  t.after(() => peer.socket.terminate());
  return peer;
}

test("a flood of answers that nobody reads: memory stays below the ceiling, open calls finish, new work is refused, then taken again", async (t) => {
  const ceilingBytes = 320 * MIB;
  const server = tercet(t).spawn(`server: { port: 0 }\nlimits: { memory_bytes: ${ceilingBytes} }\n`);
  const port = Number(new URL(await server.url()).port);
  const worker = await connected(t, port);
  const [large = 0, slow = 0] = await worker.register(["large", "slow"]);
  const answer = canonicalAnswer(2, 0, Buffer.alloc(MIB));
  const held: number[] = [];
  onCall(worker, (ticket, fn) => {
    if (fn === slow) return held.push(ticket);
    answer.writeUInt32BE(ticket, 3);
    return worker.sendBytes(Buffer.from(answer));
  });
  const other = await connected(t, port);
  const [quick = 0] = await other.register(["quick"]);
  onCall(other, (ticket) => other.sendBytes(canonicalAnswer(2, ticket, pack(1))));
  const patient = await connected(t, port);
  patient.sendBytes(Buffer.concat([1, 2, 3].map((n) => canonicalCall(n, slow, pack(n)))));
  await eventually("the worker holds three calls", () => held.length === 3, BOUND_MS);

  const descriptors = openDescriptors(server.pid);
  const flooders = await Promise.all(Array.from({ length: 24 }, () => connected(t, port)));
  let peak = 0;
  const watch = setInterval(() => {
    if (server.code === undefined) peak = Math.max(peak, residentBytes(server.pid));
  }, 5).unref();
  for (const flooder of flooders) {
    flooder.socket.pause();
    flooder.sendBytes(
      Buffer.concat(Array.from({ length: 20 }, (_, n) => canonicalCall(n + 1, large, pack(n)))),
    );
  }
  await eventually("new work is refused", () => refusedBy(patient, quick), BOUND_MS);
  for (const ticket of held) worker.sendBytes(canonicalAnswer(2, ticket, pack("done")));
  for (let n = 0; n < 3; n++) {
    const record = await finished(patient);
    assert.ok(record <= 3, "a call that was open finishes");
  }
  clearInterval(watch);
  assert.ok(peak < ceilingBytes, `${Math.round(peak / MIB)} MiB at most, below ${ceilingBytes / MIB}`);
  assert.ok(peak > ceilingBytes / 2, `${Math.round(peak / MIB)} MiB: the flood was one`);
  for (const flooder of flooders) flooder.socket.terminate();
  await eventually("no descriptor is left", () => openDescriptors(server.pid) <= descriptors, BOUND_MS);
  await eventually("work is taken again", async () => !(await refusedBy(patient, quick)), BOUND_MS);
  const again = await connected(t, port);
  await again.settle();
});

/** Hears of every call that a peer gets. */
function onCall(peer: MsgpackPeer, heard: (ticket: number, fn: number) => void): void {
  peer.socket.on("message", (data: Buffer) => {
    for (const [kind, ticket, fn] of records(data)) if (kind === 1) heard(ticket as number, fn as number);
  });
}

/** The number of the next call of a peer that ended well, passing over refusals. */
async function finished(peer: MsgpackPeer): Promise<number> {
  for (;;) {
    const record = await peer.next("a call that was open", BOUND_MS);
    if (record[0] === 2 && (record[1] as number) < 100) return record[1] as number;
  }
}

let probe = 1_000;

/** Makes a call: was it refused for memory? */
async function refusedBy(peer: MsgpackPeer, fn: number): Promise<boolean> {
  const call = probe++;
  peer.sendBytes(canonicalCall(call, fn, pack(0)));
  for (;;) {
    const record = await peer.next("the answer to a probe", BOUND_MS);
    if (record[1] !== call) continue;
    if (record[0] !== 3) return false;
    const { code, message } = errorOf(record);
    assert.equal(code, "overloaded");
    return message.includes("memory");
  }
}
