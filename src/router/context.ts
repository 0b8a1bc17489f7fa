// The context of a call: a msgpack map in a bin, handed on unread between msgpack workers, read where a key decides or a JSON frame must be written.

import { Cursor } from "../protocol/msgpack/cursor.js";
import { pack, unpack } from "../protocol/msgpack/general.js";
import { NIL } from "../protocol/msgpack/records.js";
import { skipValue } from "../protocol/msgpack/skip.js";

export interface Context {
  traceparent?: string;
  baggage?: string;
  /** One msgpack value, as it was sent: nothing in it changes on its way. */
  metadata?: Uint8Array;
  key?: string | number | bigint;
}

const cursor = new Cursor();

/** The known keys of a context; keys of other types are as if absent. Undefined when it is no msgpack map. */
export function readContext(bytes: Uint8Array): Context | undefined {
  if (skipValue(bytes, 0, bytes.length) !== bytes.length) return undefined;
  const context: Context = {};
  for (let left = cursor.openMap(bytes, 0); left !== 0; left--) {
    if (left === -1) return undefined;
    const name = cursor.isStr() ? readText(cursor) : undefined;
    if (name === undefined) cursor.raw();
    cursor.raw();
    if (name !== undefined) readMember(context, name, bytes.subarray(cursor.start, cursor.end));
  }
  return context;
}

function readText(at: Cursor): string {
  at.str("key");
  return Buffer.from(at.bytes.buffer, at.bytes.byteOffset + at.start, at.end - at.start).toString("latin1"); // the known keys are ASCII
}

function readMember(context: Context, name: string, bytes: Uint8Array): void {
  if (name === "metadata") {
    if (bytes[0] !== NIL) context.metadata = bytes;
    return;
  }
  if (name !== "traceparent" && name !== "baggage" && name !== "key") return;
  const value = scalar(bytes);
  if (name === "key") {
    if (typeof value === "string" || typeof value === "number" || typeof value === "bigint")
      context.key = value;
  } else if (typeof value === "string") context[name] = value;
}

/** The value, or undefined when it is one that the library cannot read (an unknown extension). */
function scalar(bytes: Uint8Array): unknown {
  try {
    return unpack(bytes);
  } catch {
    return undefined; // as if absent, like any other type that the key does not have
  }
}

/** A context with `metadata` given as msgpack bytes (empty = none), which stay as they are. */
export function packContextAround(
  texts: { traceparent?: string; baggage?: string },
  metadata: Uint8Array,
): Uint8Array {
  const members = Object.entries(texts).flatMap(([name, text]) => [pack(name), pack(text)]);
  if (metadata.length > 0) members.push(METADATA_KEY, metadata);
  const head = new Uint8Array([FIXMAP | (members.length / 2)]); // three members at most
  return Buffer.concat([head, ...members]);
}

const FIXMAP = 0x80;
const METADATA_KEY = pack("metadata");

/** A hash of a call's key that is never 0 (0 = no key). FNV-1a over its text. */
export function hashKey(key: string | number | bigint): number {
  const text = String(key);
  let hash = 0x811c9dc5 | 0;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash === 0 ? 1 : hash;
}
