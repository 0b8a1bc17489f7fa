// Records of every kind of PROTOCOL.md as a stranger would send them: right, with elements of other kinds and sizes, or with bytes bent.
import { pack } from "../support/msgpack-peer.js";
import type { Random } from "../support/random.js";
import {
  canonicalAnswer,
  canonicalCall,
  canonicalCancel,
  canonicalCast,
  canonicalChunk,
  uint32,
} from "../support/wire.js";
import { plainEnd } from "./plain-msgpack.js";

/** What a stranger has been told and may name. */
export interface Known {
  readonly handles: readonly number[];
  /** Tickets of calls that it was given, ids of channels that it made. */
  readonly tickets: number[];
  readonly channels: [string, string][];
}

const IDS = [
  "fuzz::0",
  "fuzz::1",
  "fuzz::2",
  "mine::json",
  "nobody",
  "engine::workers::list",
  "engine::functions::info",
  "",
  " ",
  "é😀",
];
const TYPES = ["mailbox", "other", "engine::functions-available", "engine::workers-available", ""];
const NAMESPACES = [null, "default", "elsewhere", " ", 7];
const BENT_BYTES = [0xff, 0xc1, 0xc0, 0xce, 0xc6, 0x00, 0x80, 0x7f, 0xdd, 0xdf, 0xc7, 0xd4, 0x72];

/** One record, sometimes spoiled so that it is none. */
export function record(random: Random, known: Known): Buffer {
  const dice = random.next();
  if (dice < 0.35) return hot(random, known);
  const elements = control(random, known);
  if (dice < 0.65) return pack(elements);
  const changed = pack(altered(random, elements));
  return dice < 0.97 ? changed : bent(random, random.next() < 0.5 ? changed : hot(random, known));
}

/** Does `frame` hold records only, each an array that begins with a positive integer? */
export function isWellFormed(frame: Buffer): boolean {
  for (let at = 0; at < frame.length; ) {
    const end = plainEnd(frame, at);
    if (end === undefined || !hasKind(frame, at)) return false;
    at = end;
  }
  return true;
}

function hasKind(frame: Buffer, at: number): boolean {
  const head = frame[at] ?? 0;
  const isArray = (head > 0x90 && head <= 0x9f) || head === 0xdc || head === 0xdd;
  if (!isArray) return false;
  const first = at + (head === 0xdc ? 3 : head === 0xdd ? 5 : 1);
  if (
    (head === 0xdc && frame.readUInt16BE(at + 1) === 0) ||
    (head === 0xdd && frame.readUInt32BE(at + 1) === 0)
  )
    return false;
  return isPositive(frame, first);
}

function isPositive(frame: Buffer, at: number): boolean {
  const head = frame[at] ?? 0;
  if (head <= 0x7f) return head > 0;
  const width = { 204: 1, 205: 2, 206: 4, 208: 1, 209: 2, 210: 4 }[head];
  if (width !== undefined)
    return (head < 0xd0 ? frame.readUIntBE(at + 1, width) : frame.readIntBE(at + 1, width)) > 0;
  return (
    (head === 0xcf || head === 0xd3) && frame.readUInt32BE(at + 1) === 0 && frame.readUInt32BE(at + 5) > 0
  );
}

function hot(random: Random, known: Known): Buffer {
  const fn = random.pick([...known.handles, 0, random.below(2 ** 32)]);
  const ticket = random.pick([...known.tickets, 0, random.below(2 ** 32)]);
  const stream = random.below(6);
  const payload = random.pick([
    pack({ a: [1, "x", null] }),
    Buffer.alloc(random.below(400), 0x91),
    Buffer.alloc(0),
    pack(random.below(2 ** 31)),
  ]);
  const context = pack({
    traceparent: "t",
    baggage: "b",
    metadata: { a: 1.5 },
    key: random.pick(["k", 7, null, [1]]),
  });
  return random.pick([
    () => canonicalCall(random.below(50), fn, payload, random.pick([0, 5, 100, 2 ** 32 - 1])),
    () =>
      canonicalCall(
        random.below(50),
        fn,
        payload,
        100,
        random.next() < 0.7 ? context : bent(random, context),
      ),
    () => canonicalAnswer(2, ticket, payload),
    () => canonicalAnswer(3, ticket, random.pick([pack({ code: "c", message: "m" }), payload])),
    () => canonicalCancel(random.below(50)),
    () => canonicalCast(fn, random.below(3), payload),
    () => canonicalChunk(stream, random.below(3), payload),
    () =>
      Buffer.concat([
        Buffer.of(0x93, 7, 0xce),
        uint32(stream),
        Buffer.of(0xce),
        uint32(random.pick([0, 100, 65_536, 2 ** 32 - 1])),
      ]),
    () => Buffer.concat([Buffer.of(0x94, 8, 0xce), uint32(stream), Buffer.of(0xc0, 0xc0)]),
  ])();
}

function name(random: Random): unknown {
  const id = random.pick(IDS);
  return random.next() < 0.5 ? id : [random.pick(NAMESPACES), id];
}

function control(random: Random, known: Known): unknown[] {
  const request = random.below(100);
  const trigger = `t${random.below(8)}`;
  return random.pick([calls, registry, triggers, streams, feeds])(random, known, request, trigger);
}

function calls(random: Random, known: Known, request: number): unknown[] {
  const ticket = random.pick([...known.tickets, 0, request]);
  return random.pick<() => unknown[]>([
    () => [
      1,
      request,
      name(random),
      random.pick([0, 100]),
      0,
      null,
      random.pick<unknown>([pack({}), null, "text", 7]),
    ],
    () => [2, ticket, random.pick<unknown>([null, pack([1]), "text", 7])],
    () => [
      3,
      ticket,
      random.pick<unknown>([null, pack({ code: "c", message: "m", data: [1] }), pack({ code: 1 })]),
    ],
    () => [5, name(random), random.below(3), 0, null, pack(request)],
    () => [random.below(48), request, 2, 3],
  ])();
}

function registry(random: Random, _known: Known, request: number): unknown[] {
  const id = random.pick(IDS);
  const share = random.pick([null, "hash", "round_robin", "least_outstanding", "x"]);
  return random.pick<() => unknown[]>([
    () => [16, { version: 1, name: "again" }],
    () => [18, request, random.below(3), [["fuzz::0"], ["fuzz::1", "d", { a: 1 }, null, { b: [1] }, share]]],
    () => [
      18,
      request,
      0,
      [[id, null, null, null, null, share, random.below(3), random.below(4), random.below(50)]],
    ],
    () => [20, request, [id, "nobody"]],
    () => [22, request, [name(random), name(random)]],
    () => [
      36,
      request,
      random.pick<unknown>([[id], ["fuzz::0"], [], random.below(4) === 0 ? null : [id, "nobody"]]),
    ],
  ])();
}

function triggers(random: Random, _known: Known, request: number, id: string): unknown[] {
  const type = random.pick(TYPES);
  const config = random.pick<unknown>([{ path: "/in" }, null, [1, [2]], "x", new Uint8Array(3), Number.NaN]);
  return random.pick<() => unknown[]>([
    () => [26, request, [[type, "about", { a: 1 }, null, random.pick(NAMESPACES)]]],
    () => [27, request, [random.pick<unknown>([type, ["default", type]])]],
    () => [
      28,
      request,
      id,
      type,
      name(random),
      config,
      random.pick([null, { m: 1 }]),
      random.pick(NAMESPACES),
    ],
    () => [29, request, id],
    () => [30, id, ...random.pick([[], ["taken", "path taken"], [7]])],
  ])();
}

function streams(random: Random, known: Known): unknown[] {
  const stream = random.below(6);
  const fresh: [string, string] = [uuid(random), uuid(random)];
  if (known.channels.length < 8) known.channels.push(fresh);
  const [id, key] = random.pick([...known.channels, fresh]);
  return random.pick<() => unknown[]>([
    () => [9, stream, id, key, random.below(2), random.pick([0, 1_000, 2 ** 31]), random.below(2)],
    () => [6, stream, random.below(2), Buffer.alloc(random.below(2_000))],
    () => [7, stream, random.below(100_000)],
    () => [8, stream, random.pick([null, "broken", 3]), random.pick([null, "why"])],
  ])();
}

function uuid(random: Random): string {
  const hex = Array.from({ length: 32 }, () => random.below(16).toString(16)).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function feeds(random: Random, _known: Known, request: number): unknown[] {
  const filter = {
    namespace: random.pick(NAMESPACES),
    prefix: random.pick(["fuzz", "", null, 3]),
    revision: random.below(50),
  };
  return random.pick<() => unknown[]>([
    () => [
      32,
      request,
      random.pick<unknown>([filter, {}, null, { ...filter, epoch: random.pick(["x", 5]) }]),
    ],
    () => [35, request, random.below(20)],
  ])();
}

/** The same record with an element that is another, missing, or one too many. */
function altered(random: Random, elements: readonly unknown[]): unknown[] {
  const made = [...elements];
  const other = random.pick<unknown>([
    null,
    -1,
    2 ** 32,
    2 ** 53,
    1.5,
    "",
    "x".repeat(300),
    [],
    [[]],
    {},
    { a: { b: 1 } },
    true,
    Buffer.alloc(5),
    new Date(0),
    nested(random.below(200)),
  ]);
  const at = 1 + random.below(made.length);
  if (random.next() < 0.7) made[Math.min(at, made.length - 1) || 1] = other;
  else if (random.next() < 0.5) made.length = Math.max(1, at);
  else made.push(other);
  return made;
}

function nested(levels: number): unknown {
  let made: unknown = 0;
  for (let level = 0; level < levels; level++) made = level % 2 === 0 ? [made] : { a: made };
  return made;
}

function bent(random: Random, frame: Buffer): Buffer {
  const bytes = Buffer.from(frame);
  const dice = random.next();
  if (dice < 0.2) return bytes.subarray(0, random.below(bytes.length + 1));
  if (dice < 0.4) return Buffer.concat([bytes, Buffer.of(random.below(256), random.below(256))]);
  for (let n = 1 + random.below(3); n > 0; n--)
    bytes[random.below(bytes.length)] = random.next() < 0.5 ? random.pick(BENT_BYTES) : random.below(256);
  return bytes;
}
