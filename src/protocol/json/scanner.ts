// The envelope scanner's door: checks one JSON frame in the arena and tells where the values of its envelope stand.
// The work is done by scan.wasm (assembly/, which `npm run build` puts beside this file); here are the names it
// knows, the layout of its result and the loading. The memory belongs to the caller: it copies frames to 65,536 or
// above; what lies below is the scanner's. What to refuse (depth, digits, message types) is the caller's decision.
import { readFileSync } from "node:fs";

/** What `scan` returns. */
export const ScanStatus = {
  Ok: 0,
  /** `JSON.parse` would refuse the text, too. */
  NotJson: 1,
  /** JSON, but the top-level value is no object. */
  NotObject: 2,
  /** More levels than the scanner can follow (65,536). */
  TooDeep: 3,
} as const;

/** What stands under an envelope key. */
export const ValueKind = {
  Absent: 0,
  /** A string without escapes: its bytes are its value. */
  String: 1,
  EscapedString: 2,
  Object: 3,
  Array: 4,
  Number: 5,
  True: 6,
  False: 7,
  Null: 8,
} as const;

/** The envelope keys whose values are noted, as they are spelled on the wire. */
export const EnvelopeKey = {
  type: 1,
  invocation_id: 2,
  function_id: 3,
  data: 4,
  result: 5,
  error: 6,
  metadata: 7,
  action: 8,
  namespace: 9,
  traceparent: 10,
  baggage: 11,
  id: 12,
  description: 13,
  request_format: 14,
  response_format: 15,
  invocation: 16,
  trigger_type: 17,
  config: 18,
  trigger_namespace: 19,
  trigger_request_format: 20,
  call_request_format: 21,
  previous_worker_id: 22,
  reattach_token: 23,
  name: 24,
  parent_service_id: 25,
} as const;

/** The values of `type`, as they are spelled on the wire; 0 is any other, or none. */
export const MessageType = {
  invokefunction: 1,
  invocationresult: 2,
  registerfunction: 3,
  unregisterfunction: 4,
  registertriggertype: 5,
  unregistertriggertype: 6,
  registertrigger: 7,
  unregistertrigger: 8,
  triggerregistrationresult: 9,
  registerservice: 10,
  reattach: 11,
  ping: 12,
  pong: 13,
  workerregistered: 14,
  registrationrejected: 15,
  error: 16,
} as const;

export type EnvelopeKeyNumber = (typeof EnvelopeKey)[keyof typeof EnvelopeKey];

/** The scanner's part of the memory: [0, SCANNER_BYTES). */
export const SCANNER_BYTES = 65_536;
/** So many bytes behind a frame may be read (and are not believed): they have to exist. */
export const READ_AHEAD_BYTES = 64;

// The memory map, as in assembly/memory-map.ts, in bytes.
const RESULT_AT = 4096;
const KEY_NAMES_AT = 8192;
const TYPE_NAMES_AT = 10_240;
const CALLER_NAME_AT = 12_288;
const SCRATCH_AT = 12_352;

// Fields of the result, in 32-bit words.
const ERROR_AT = 0;
const LEVELS = 1;
const DIGITS = 2;
const TYPE = 3;
const CALLER_KEYS = 4;
const OTHER_MEMBERS = 5;
const KINDS = 8;
const STARTS = 40;
const ENDS = 72;
const RESULT_WORDS = 104;

const CALLER_KEY = "_caller_worker_id";

interface ScanExports extends WebAssembly.Exports {
  scan(ptr: number, length: number): number;
  cutCallerKeys(start: number, end: number): number;
  learn(table: number, name: number, length: number, id: number): number;
}

const scanModule = new WebAssembly.Module(readFileSync(new URL("scan.wasm", import.meta.url)));

/**
 * Reads envelopes of frames that lie in `memory`. The answers (`kind`, `start`, `levels`, …) are about the last frame
 * scanned, until the next `scan`. Nothing is allocated for a frame.
 */
export class EnvelopeScanner {
  readonly #memory: WebAssembly.Memory;
  readonly #wasm: ScanExports;
  #result: Int32Array;

  /** Takes over the first 65,536 bytes of `memory`; several scanners on one memory would share them. */
  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
    // The module is built from assembly/scan.ts, whose exports these are.
    this.#wasm = new WebAssembly.Instance(scanModule, { env: { memory } }).exports as ScanExports;
    this.#result = new Int32Array(memory.buffer, RESULT_AT, RESULT_WORDS);
    for (const [name, id] of Object.entries(EnvelopeKey)) this.#learn(KEY_NAMES_AT, name, id);
    for (const [name, id] of Object.entries(MessageType)) this.#learn(TYPE_NAMES_AT, name, id);
    this.#write(CALLER_NAME_AT, CALLER_KEY);
    new Uint8Array(memory.buffer)[CALLER_NAME_AT + 30] = CALLER_KEY.length;
  }

  /**
   * Checks `length` bytes at `ptr` (65,536 or above; UTF-8, known to be valid). Returns a ScanStatus. Refused is
   * exactly what `JSON.parse` refuses, and what is deeper than 65,536 levels.
   */
  scan(ptr: number, length: number): number {
    const status = this.#wasm.scan(ptr, length);
    if (this.#result.length === 0)
      this.#result = new Int32Array(this.#memory.buffer, RESULT_AT, RESULT_WORDS);
    return status;
  }

  /** A ValueKind. Of a key that stands there twice, the last one counts, here and below. */
  kind(key: EnvelopeKeyNumber): number {
    return this.#result[KINDS + key]!;
  }

  /** Where the value begins in the memory, in bytes; a string without its quotes. Meaningless if absent. */
  start(key: EnvelopeKeyNumber): number {
    return this.#result[STARTS + key]!;
  }

  /** Where the value ends (the byte behind it). */
  end(key: EnvelopeKeyNumber): number {
    return this.#result[ENDS + key]!;
  }

  /** A MessageType, or 0. */
  get type(): number {
    return this.#result[TYPE]!;
  }

  /** The deepest level of nesting in the frame; the envelope itself is level 1. */
  get levels(): number {
    return this.#result[LEVELS]!;
  }

  /** The most digits of an integer in the frame (no fraction, no exponent). Exact from 64 up; shorter ones may read as less. */
  get digits(): number {
    return this.#result[DIGITS]!;
  }

  /** If `data` is an object: how many of its own members are named `_caller_worker_id`, in any spelling. */
  get callerKeys(): number {
    return this.#result[CALLER_KEYS]!;
  }

  /** If `data` is an object: it has members of other names. */
  get hasOtherMembers(): boolean {
    return this.#result[OTHER_MEMBERS]! !== 0;
  }

  /** After NotJson or TooDeep: a place in the memory, in bytes, near which the text went wrong. */
  get errorAt(): number {
    return this.#result[ERROR_AT]!;
  }

  /**
   * Removes every own member named `_caller_worker_id`, in any spelling, from the object at [start, end), which a scan
   * has accepted, and its comma. Bytes move in place. Returns the object's new end.
   */
  cutCallerKeys(start: number, end: number): number {
    return this.#wasm.cutCallerKeys(start, end);
  }

  #learn(table: number, name: string, id: number): void {
    this.#write(SCRATCH_AT, name);
    if (this.#wasm.learn(table, SCRATCH_AT, name.length, id) === 0) {
      throw new Error(`the scanner's hash has no free slot for the name ${name}`);
    }
  }

  #write(at: number, name: string): void {
    new TextEncoder().encodeInto(name, new Uint8Array(this.#memory.buffer, at, 32));
  }
}
