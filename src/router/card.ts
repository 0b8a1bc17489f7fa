// The card of a function: description, formats and metadata as one JSON object, whichever wire they came by.
//
// Kept as text and read only when somebody lists functions. Only what JSON can say can be kept: anything else is refused at registration.

import { ByteSink } from "../protocol/bytes.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import { CARD_BYTES_MAX, CARD_DEPTH_MAX, REGISTRY_BYTES_MAX } from "../protocol/limits.js";
import { type Cursor, ElementError } from "../protocol/msgpack/cursor.js";
import { msgpackToJson } from "../protocol/translate/msgpack-to-json.js";
import { refusalMessage, TranslateStatus } from "../protocol/translate/status.js";

const KEYS = ["description", "request_format", "response_format", "metadata"] as const;
const EMPTY = new Uint8Array(0);
const sink = new ByteSink(CARD_BYTES_MAX);

/** Reads the elements behind the id: description, request_format, response_format, metadata. The cursor stands at `share` afterwards. */
export function readCard(item: Cursor, position: number): Uint8Array {
  sink.clear();
  let count = 0;
  for (const key of KEYS) {
    if (item.nil()) continue;
    if (key === "description" && !item.isStr())
      throw new ElementError(`description of function ${position} must be a str or nil`);
    writeKey(count++, key);
    item.raw();
    const status = msgpackToJson(item.bytes, item.start, item.end, sink, undefined, CARD_DEPTH_MAX);
    if (status !== TranslateStatus.Done)
      throw new ElementError(`${key} of function ${position}: ${refusalMessage()}`);
  }
  if (count === 0) return EMPTY;
  writeText("}");
  return sink.bytes.slice(0, sink.length);
}

export function cardTooLarge(bytes: number): CodedError {
  const most = `at most ${CARD_BYTES_MAX} bytes, not ${bytes}`;
  return new CodedError(
    ErrorCode.LimitReached,
    `Description, formats and metadata of a function have ${most}`,
  );
}

/** `bytesMax`: of one connection. */
export function cardsFull(bytesMax: number): CodedError {
  return new CodedError(
    ErrorCode.LimitReached,
    `The functions of one connection have at most ${bytesMax} bytes of description, formats and metadata, and those of all ${REGISTRY_BYTES_MAX}`,
  );
}

function writeKey(count: number, key: string): void {
  writeText(`${count === 0 ? "{" : ","}"${key}":`);
}

/** ASCII only. */
function writeText(text: string): void {
  if (!sink.reserve(text.length))
    throw new ElementError(
      `description, formats and metadata of one function have at most ${CARD_BYTES_MAX} bytes`,
    );
  for (let at = 0; at < text.length; at++) sink.bytes[sink.length++] = text.charCodeAt(at);
}
