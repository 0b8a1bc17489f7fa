// The context of a call: a msgpack map in a bin, handed on unread between msgpack workers, read where a key decides or a JSON frame must be written.

import { pack, unpack } from "../protocol/msgpack/general.js";

export interface Context {
  traceparent?: string;
  baggage?: string;
  metadata?: unknown;
  key?: string | number | bigint;
}

/** The known keys of a context; keys of other types are as if absent. Undefined when it is no msgpack map. */
export function readContext(bytes: Uint8Array): Context | undefined {
  let value: unknown;
  try {
    value = unpack(bytes);
  } catch {
    return undefined; // the caller answers with a coded error
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const {
    traceparent,
    baggage,
    metadata,
    key,
  }: { traceparent?: unknown; baggage?: unknown; metadata?: unknown; key?: unknown } = value;
  return {
    ...(typeof traceparent === "string" ? { traceparent } : {}),
    ...(typeof baggage === "string" ? { baggage } : {}),
    ...(metadata === undefined || metadata === null ? {} : { metadata }),
    ...(typeof key === "string" || typeof key === "number" || typeof key === "bigint" ? { key } : {}),
  };
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
