// Shared by the tests of the translators: text and hex in, text and hex out, refusals as `code at byte`.

import { ByteSink } from "../../../src/protocol/bytes.js";
import { jsonToMsgpack } from "../../../src/protocol/translate/json-to-msgpack.js";
import { msgpackToJson } from "../../../src/protocol/translate/msgpack-to-json.js";
import { lastRefusal, REFUSED_CODE, TranslateStatus } from "../../../src/protocol/translate/status.js";

const target = new ByteSink(1 << 24, 16);

/** The bytes of a hex text; spaces and dashes are for the eye. */
export function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replace(/[\s-]/g, ""), "hex"));
}

export function hexOf(data: Uint8Array): string {
  return Buffer.from(data).toString("hex");
}

interface Options {
  callerWorkerId?: Uint8Array | undefined;
  depthMax?: number | undefined;
}

/** Translates from the middle of a larger buffer, as a payload stands in its frame, and returns what was written. */
function translate(by: typeof jsonToMsgpack, payload: Uint8Array, options: Options): Uint8Array | string {
  const frame = new Uint8Array(payload.length + 14).fill(0x31); // a digit: reading on would be noticed in both encodings
  frame.set(payload, 7);
  target.clear();
  const status = by(frame, 7, 7 + payload.length, target, options.callerWorkerId, options.depthMax);
  if (status === TranslateStatus.Done) return target.written().slice();
  if (target.length !== 0) throw new Error("a refusal left something in the target");
  return `${REFUSED_CODE[status]} at ${lastRefusal().at}`;
}

/** The msgpack of a JSON text or bytes, or the refusal as `code at byte`. */
export function packed(json: string | Uint8Array, options: Options = {}): Uint8Array | string {
  return translate(jsonToMsgpack, typeof json === "string" ? Buffer.from(json) : json, options);
}

/** As `packed`, in hex. */
export function packedHex(json: string | Uint8Array, options: Options = {}): string {
  const result = packed(json, options);
  return typeof result === "string" ? result : hexOf(result);
}

/** The JSON text of msgpack bytes, or the refusal as `code at byte`. */
export function json(msgpack: Uint8Array | string, options: Options = {}): string {
  const result = translate(msgpackToJson, typeof msgpack === "string" ? bytes(msgpack) : msgpack, options);
  return typeof result === "string" ? result : Buffer.from(result).toString();
}
