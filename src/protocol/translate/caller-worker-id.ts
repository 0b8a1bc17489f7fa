// The member `_caller_worker_id` that the engine puts first into an object payload.
//
// The translators write it and leave out any member of the same name at the payload's top level: they compare the key as it was
// translated, so that no spelling of it (escapes, wider lengths) passes.

import type { ByteSink } from "../bytes.js";

/** Characters of the id, a UUID. */
const CALLER_WORKER_ID_BYTES = 36;

const KEY = Uint8Array.from("_caller_worker_id", (character) => character.charCodeAt(0));
const QUOTE = 0x22;
const COLON = 0x3a;

/** Room for the member in either encoding: 60 as JSON, 56 as msgpack. */
export const CALLER_WORKER_ID_MEMBER_BYTES = KEY.length + CALLER_WORKER_ID_BYTES + 5 + 2;

/** Whether `bytes[from, to)` is the key's text. */
export function isCallerWorkerIdKey(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from !== KEY.length) return false;
  for (let i = 0; i < KEY.length; i++) if (bytes[from + i] !== KEY[i]) return false;
  return true;
}

/** Appends `"_caller_worker_id":"…"`. Room was reserved. */
export function writeJsonMember(target: ByteSink, id: Uint8Array): void {
  writeQuoted(target, KEY);
  target.bytes[target.length++] = COLON;
  writeQuoted(target, id);
}

/** Appends the key as a fixstr and the id as a str8. Room was reserved. */
export function writeMsgpackMember(target: ByteSink, id: Uint8Array): void {
  target.bytes[target.length++] = 0xa0 | KEY.length;
  write(target, KEY);
  target.bytes[target.length++] = 0xd9;
  target.bytes[target.length++] = CALLER_WORKER_ID_BYTES;
  write(target, id);
}

function writeQuoted(target: ByteSink, text: Uint8Array): void {
  target.bytes[target.length++] = QUOTE;
  write(target, text);
  target.bytes[target.length++] = QUOTE;
}

function write(target: ByteSink, text: Uint8Array): void {
  for (let i = 0; i < text.length; i++) target.bytes[target.length++] = text[i]!;
}
