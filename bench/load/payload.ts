// The document that every call of the bench carries: half a text, half an array of small objects, a stamp in front.
//
// The same document goes out as JSON or as msgpack, sized to the byte in the wire of whoever sends the call, so that
// a cell's name ("1 KiB") is true for each path.

import { pack } from "msgpackr";

export interface Document {
  stamp: string;
  text: string;
  items: { id: number; ok: boolean; at: number }[];
}

export type Encode = (document: Document) => Buffer;

export const asJson: Encode = (document) => Buffer.from(JSON.stringify(document));
export const asMsgpack: Encode = (document) => pack(document);

const PROSE =
  'A worker says what it offers; "routing" is what remains.\nNames become numbers at the door, so a call costs little — ';

/** A document whose encoding is exactly `bytes` long. */
export function document(bytes: number, encode: Encode): Document {
  const items = itemsOf(bytes / 2, encode);
  for (let padding = 0; padding <= bytes; padding++) {
    const fit = fitted(bytes, items, padding, encode);
    if (fit !== undefined) return fit;
  }
  throw new Error(`no document of ${bytes} bytes: at least 80 are needed`);
}

function itemsOf(bytes: number, encode: Encode): Document["items"] {
  const one =
    encode({ stamp: "", text: "", items: [item(0)] }).length -
    encode({ stamp: "", text: "", items: [] }).length;
  return Array.from({ length: Math.max(1, Math.floor(bytes / (one + 1))) }, (_, id) => item(id));
}

function item(id: number): Document["items"][number] {
  return { id, ok: id % 3 !== 0, at: (id * 37) % 100 };
}

/** Prose with plain letters behind it; undefined when this much padding misses the size by a character's width. */
function fitted(
  bytes: number,
  items: Document["items"],
  padding: number,
  encode: Encode,
): Document | undefined {
  const empty = encode({ stamp: "0000", text: "", items }).length;
  const prose = PROSE.repeat(Math.ceil(bytes / PROSE.length)).slice(0, Math.max(0, bytes - empty - padding));
  const trimmed = shortened(
    prose,
    (text) => encode({ stamp: "0000", text, items }).length <= bytes - padding,
  );
  for (let extra = 0; extra < 16; extra++) {
    const candidate: Document = { stamp: "0000", text: trimmed + "x".repeat(padding + extra), items };
    if (encode(candidate).length === bytes) return candidate;
  }
  return undefined;
}

/** The longest prefix that fits, found by halving. */
function shortened(text: string, fits: (text: string) => boolean): string {
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (fits(text.slice(0, middle))) low = middle;
    else high = middle - 1;
  }
  return text.slice(0, low);
}
