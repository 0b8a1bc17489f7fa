// Config, metadata and events between their two spellings: kept as JSON text, said in msgpack where a msgpack worker is told.

import { ByteSink } from "../protocol/bytes.js";
import { CodedError } from "../protocol/error.js";
import { TRIGGER_BYTES_MAX } from "../protocol/limits.js";
import { jsonToMsgpack } from "../protocol/translate/json-to-msgpack.js";
import { msgpackToJson } from "../protocol/translate/msgpack-to-json.js";
import { REFUSED_CODE, refusalMessage, TranslateStatus } from "../protocol/translate/status.js";

/** Either spelling is at most a few times as long as the other. */
const sink = new ByteSink(8 * TRIGGER_BYTES_MAX);

export function jsonBytes(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

/** JSON text as one msgpack value; a CodedError when msgpack cannot say it. */
export function msgpackBytes(json: Uint8Array): Uint8Array | CodedError {
  sink.clear();
  const status = jsonToMsgpack(json, 0, json.length, sink);
  return status === TranslateStatus.Done
    ? sink.written().slice()
    : new CodedError(REFUSED_CODE[status], refusalMessage());
}

/** The msgpack value at `[start, end)` as JSON text. Throws CodedError for what JSON cannot say. */
export function jsonOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  sink.clear();
  const status = msgpackToJson(bytes, start, end, sink);
  if (status !== TranslateStatus.Done) throw new CodedError(REFUSED_CODE[status], refusalMessage());
  return sink.written().slice();
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The deepest level of nesting in a JSON text; 0 for a scalar. */
export function levelsOf(json: Uint8Array): number {
  let level = 0;
  let deepest = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]!;
    if (byte === QUOTE) at = stringEnd(json, at);
    else if (byte === 0x7b || byte === 0x5b) deepest = Math.max(deepest, ++level);
    else if (byte === 0x7d || byte === 0x5d) level--;
  }
  return deepest;
}

/** The closing quote of the string that begins at `at`. */
function stringEnd(json: Uint8Array, at: number): number {
  for (at++; at < json.length && json[at] !== QUOTE; at++) if (json[at] === BACKSLASH) at++;
  return at;
}
