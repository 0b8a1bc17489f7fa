// Seeded values that JSON and msgpack can both say, their texts, and damage to bytes: what the fuzzers of translation and of
// msgpack values put in.

export type Draw = () => number;

const CHARACTERS = [
  "a",
  "Z",
  " ",
  '"',
  "\\",
  "/",
  "\n",
  "\t",
  "\u0000",
  "\u001f",
  "\x7f",
  "é",
  "€",
  "\u2028",
  "\uffff",
  "😀",
  "\u{10ffff}",
] as const;
const BITS = new DataView(new ArrayBuffer(8));

export function pick<T>(draw: Draw, choices: readonly [T, ...T[]]): T {
  return choices[Math.floor(draw() * choices.length)] ?? choices[0];
}

export function below(draw: Draw, bound: number): number {
  return Math.floor(draw() * bound);
}

export function text(draw: Draw): string {
  const length = Math.floor(draw() ** 4 * 200);
  const plain = draw() < 0.5;
  return Array.from({ length }, () => (plain ? "x" : pick(draw, CHARACTERS))).join("");
}

/** A finite double below 2^63 of any kind (JSON.stringify writes larger whole ones as digits, which are no integer of 64 bits): any bits, short decimals, whole numbers around the edges of the integer widths. */
export function number(draw: Draw): number {
  BITS.setUint32(0, draw() * 2 ** 32);
  BITS.setUint32(4, draw() * 2 ** 32);
  const any = BITS.getFloat64(0);
  const edge = 2 ** below(draw, 53) + below(draw, 3) - 1;
  const short = Math.round((draw() - 0.5) * 10 ** below(draw, 16)) / 10 ** below(draw, 12);
  return pick(draw, [Math.abs(any) < 2 ** 63 ? any : 0.5, edge, -edge, short, below(draw, 300)]);
}

/** Any value with at most `depth` levels. */
export function value(draw: Draw, depth: number): unknown {
  const kind = below(draw, depth > 0 ? 7 : 5);
  if (kind === 0) return pick(draw, [null, true, false]);
  if (kind <= 2) return number(draw) || 0; // no -0: JSON.stringify writes it as 0
  if (kind <= 4) return text(draw);
  const length = Math.floor(draw() ** 3 * 24);
  const members = Array.from({ length }, () => value(draw, depth - 1));
  if (kind === 5) return members;
  return Object.fromEntries(
    members.map((member, i) => [`${i}${[...text(draw)].slice(0, 40).join("")}`, member]),
  );
}

/** JSON text of a value with spaces and escapes that JSON.stringify would not write. */
export function written(draw: Draw, of: unknown): string {
  const spaced = JSON.stringify(of, undefined, pick(draw, ["", "\t", " "]));
  if (draw() < 0.5) return spaced;
  return spaced.replace(/[^\x00-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Changes a byte or three (half of the new ones mean something in JSON), and sometimes cuts or repeats a stretch. */
export function damaged(draw: Draw, whole: Uint8Array): Uint8Array {
  const out = Buffer.from(whole);
  for (let i = draw() * 3; i > 0 && out.length > 0; i--) {
    const byte =
      draw() < 0.5
        ? draw() * 256
        : pick(draw, ["0", "7", "e", "-", ".", " ", ",", '"', "\\", "]", "}"]).charCodeAt(0);
    out[below(draw, out.length)] = byte;
  }
  const cut = below(draw, out.length);
  return pick(draw, [
    out,
    out,
    out.subarray(0, cut),
    Buffer.concat([out.subarray(0, cut), out.subarray(cut >> 1)]),
  ]);
}
