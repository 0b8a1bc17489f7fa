// A small arena for the scanner's tests: puts a text anywhere in the memory, with bytes around it that would close,
// open or continue anything if they were believed, and holds the scanner's answers against JSON.parse.
import assert from "node:assert/strict";
import {
  EnvelopeKey,
  EnvelopeScanner,
  MessageType,
  READ_AHEAD_BYTES,
  SCANNER_BYTES,
  ScanStatus,
  ValueKind,
} from "../../src/protocol/json/scanner.js";
import { levelsOf, longestInteger, membersOf } from "./json-text.js";

const PAGE_BYTES = 65_536;
/** Deeper values are compared as text: assert.deepEqual recurses. */
const DEEP_EQUAL_LEVELS_MAX = 1_000;
const HOSTILE = [
  '"',
  "e}",
  "rue",
  "ull}",
  "lse",
  "u0041",
  "}",
  "]}",
  "0123456789",
  "\\",
  " ",
  ',"type":"ping"}',
  "[[[[",
  "ÿ\u0000",
];

export const isCallerKey = (key: string): boolean => key === "_caller_worker_id";

export class ScanArena {
  readonly memory = new WebAssembly.Memory({ initial: 16 });
  readonly scanner = new EnvelopeScanner(this.memory);
  #turn = 0;

  /** Copies `bytes` to `at`, garbage behind them, and scans. The frame must come through unchanged. */
  scan(bytes: Uint8Array, at = SCANNER_BYTES): number {
    const missing = at + bytes.length + READ_AHEAD_BYTES - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE_BYTES));
    const memory = Buffer.from(this.memory.buffer);
    memory.fill(
      HOSTILE[this.#turn++ % HOSTILE.length]!,
      at + bytes.length,
      at + bytes.length + READ_AHEAD_BYTES,
    );
    memory.set(bytes, at);
    const status = this.scanner.scan(at, bytes.length);
    assert.ok(memory.subarray(at, at + bytes.length).equals(bytes), "the scanner only reads");
    return status;
  }

  /** The bytes at [start, end) as text. */
  text(start: number, end: number): string {
    return Buffer.from(this.memory.buffer, start, end - start).toString();
  }

  /** Scans `text` and asserts that every answer is what JSON.parse leads to. Returns the status. */
  agree(text: string | Uint8Array, at = SCANNER_BYTES): number {
    const bytes = typeof text === "string" ? Buffer.from(text) : Buffer.from(text);
    const source = bytes.toString();
    const shown = source.length > 400 ? `${source.slice(0, 200)} … ${source.slice(-200)}` : source;
    const parsed = parse(source);
    const status = this.scan(bytes, at);
    if (status === ScanStatus.TooDeep) {
      assert.ok(this.scanner.levels > 65_536 && source.split(/[[{]/).length > 65_536, shown);
      return status;
    }
    assert.equal(status, expectedStatus(parsed), `status of ${JSON.stringify(shown)} at ${at}`);
    if (parsed === REFUSED) {
      const { errorAt } = this.scanner;
      assert.ok(errorAt >= at && errorAt <= at + bytes.length, `error at ${errorAt - at} of ${shown}`);
    } else {
      assert.equal(this.scanner.levels, levelsOf(source), `levels of ${shown}`);
      this.#agreeOnDigits(longestInteger(source), shown);
    }
    if (status === ScanStatus.Ok) this.#agreeOnFields(parsed as Record<string, unknown>, source, shown);
    return status;
  }

  #agreeOnDigits(digits: number, shown: string): void {
    if (digits >= 64) assert.equal(this.scanner.digits, digits, `digits of ${shown}`);
    else assert.ok(this.scanner.digits <= digits, `digits of ${shown}`);
  }

  #agreeOnFields(parsed: Record<string, unknown>, source: string, shown: string): void {
    for (const [key, id] of Object.entries(EnvelopeKey)) {
      const kind = this.scanner.kind(id);
      const has = Object.hasOwn(parsed, key);
      assert.equal(kind !== ValueKind.Absent, has, `${key} in ${shown}`);
      if (!has) continue;
      const span = this.text(this.scanner.start(id), this.scanner.end(id));
      const isString = kind === ValueKind.String || kind === ValueKind.EscapedString;
      assert.equal(kind, kindOf(parsed[key], span), `kind of ${key} in ${shown}`);
      if (this.scanner.levels < DEEP_EQUAL_LEVELS_MAX) {
        assert.deepEqual(JSON.parse(isString ? `"${span}"` : span), parsed[key], `${key} in ${shown}`);
      } else {
        const member = membersOf(source).findLast((each) => each.key === key);
        assert.equal(isString ? `"${span}"` : span, member?.value, `${key} in ${shown}`);
      }
    }
    const { type, data } = parsed;
    const known = typeof type === "string" && Object.hasOwn(MessageType, type);
    assert.equal(this.scanner.type, known ? MessageType[type as keyof typeof MessageType] : 0, shown);
    this.#agreeOnMembers(data, source, shown);
  }

  #agreeOnMembers(data: unknown, source: string, shown: string): void {
    const isObject = typeof data === "object" && data !== null && !Array.isArray(data);
    const { start, end } = this.dataSpan();
    const members = isObject ? membersOf(this.text(start, end)) : [];
    const callers = members.filter(({ key }) => isCallerKey(key));
    assert.equal(this.scanner.callerKeys, callers.length, `caller ids in ${shown}`);
    assert.equal(this.scanner.hasOtherMembers, members.length > callers.length, `other members in ${shown}`);
    if (isObject && callers.length > 0) this.agreeOnCut(source, shown);
  }

  /** Cuts the ids out of the `data` just scanned: the other members, byte for byte and in order, are what is left. */
  agreeOnCut(source: string, shown = source): void {
    const { start, end } = this.dataSpan();
    const before = membersOf(this.text(start, end));
    const cutEnd = this.scanner.cutCallerKeys(start, end);
    const text = this.text(start, cutEnd);
    assert.ok(cutEnd <= end && parse(text) !== REFUSED, `cut of ${shown}: ${text}`);
    assert.deepEqual(
      membersOf(text),
      before.filter(({ key }) => !isCallerKey(key)),
      `cut of ${shown}: ${text} (frame ${source.length})`,
    );
  }

  dataSpan(): { start: number; end: number } {
    return { start: this.scanner.start(EnvelopeKey.data), end: this.scanner.end(EnvelopeKey.data) };
  }
}

const REFUSED = Symbol("refused by JSON.parse");

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    assert.ok(error instanceof SyntaxError);
    return REFUSED;
  }
}

function expectedStatus(parsed: unknown): number {
  if (parsed === REFUSED) return ScanStatus.NotJson;
  return typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)
    ? ScanStatus.Ok
    : ScanStatus.NotObject;
}

function kindOf(value: unknown, span: string): number {
  if (typeof value === "string") return span.includes("\\") ? ValueKind.EscapedString : ValueKind.String;
  if (typeof value === "number") return ValueKind.Number;
  if (value === null) return ValueKind.Null;
  if (typeof value === "boolean") return value ? ValueKind.True : ValueKind.False;
  return Array.isArray(value) ? ValueKind.Array : ValueKind.Object;
}
