// The only door to msgpackr: whole values to and from msgpack that any library of any language can read.
//
// Used for control records, contexts and error bodies, never for payloads that are passed on.

import { type Options, Packr, Unpackr } from "msgpackr";

const OPTIONS: Options = {
  useRecords: false, // plain maps: records are an extension of msgpackr
  mapsAsObjects: true,
  // Its declarations do not know "auto", its manual does: bigint only where a number would lose digits.
  ...({ int64AsType: "auto" } as object),
  encodeUndefinedAsNil: true,
  moreTypes: false,
  structuredClone: false,
  useTimestamp32: false,
};

const packr = new Packr(OPTIONS);
const unpackr = new Unpackr(OPTIONS);

/** One value as msgpack bytes of their own. */
export function pack(value: unknown): Uint8Array {
  return packr.pack(value);
}

/** The one value that `bytes` hold. Throws when they hold no whole value, or more than one. */
export function unpack(bytes: Uint8Array): unknown {
  return unpackr.unpack(bytes);
}
