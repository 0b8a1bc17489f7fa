// Names that the scanner knows: tables of 64 slots, filled by learn(), and the comparison of a key as it is spelled in a
// frame, escapes resolved. A slot is 32 bytes: the name, its length at 30, its number at 31. string() of token.ts has
// read what is compared here.
import { UNESCAPED } from "./memory-map";
import { BACKSLASH, escaped, QUOTE } from "./token";

const NAME_BYTES_MAX: usize = 29;

/** Puts a name into its slot of a table. Returns 0 if the slot is taken by another name: then hash() needs other factors. */
export function learn(table: usize, name: usize, length: usize, id: i32): i32 {
  const slot = table + (hash(name, length) << 5);
  if (load<u8>(slot, 30) !== 0 && !(<i32>load<u8>(slot, 31) === id && same(slot, name, length))) return 0;
  memory.copy(slot, name, length);
  store<u8>(slot, <u8>length, 30);
  store<u8>(slot, <u8>id, 31);
  return 1;
}

/** The number of the name between two quotes, read by string() just before; 0: not in the table. */
export function lookUp(table: usize, start: usize, end: usize): i32 {
  let length = end - start;
  if (escaped) {
    length = resolve(start, end);
    start = UNESCAPED;
  }
  const slot = table + (hash(start, length) << 5);
  return <usize>load<u8>(slot, 30) === length && same(slot, start, length) ? load<u8>(slot, 31) : 0;
}

/** The name between two quotes, read by string() just before, is the one in this slot. */
export function named(start: usize, end: usize, slot: usize): bool {
  let length = end - start;
  if (escaped) {
    length = resolve(start, end);
    start = UNESCAPED;
  }
  return length === <usize>load<u8>(slot, 30) && same(slot, start, length);
}

/** Free of collisions for our names: learn() makes sure. The second letter tells ping from pong. */
export function hash(name: usize, length: usize): usize {
  const second = <usize>load<u8>(name + 1);
  const last = <usize>load<u8>(name + length - 1);
  return (length * 2 + second * 25 + last * 3) & 63;
}

/** Up to 32 bytes are equal; reads 32 of each. */
export function same(a: usize, b: usize, length: usize): bool {
  const low = <u32>i8x16.bitmask(i8x16.eq(v128.load(a), v128.load(b)));
  const high = <u32>i8x16.bitmask(i8x16.eq(v128.load(a, 16), v128.load(b, 16)));
  return <usize>ctz(~(low | (high << 16))) >= length;
}

/** Resolves the escapes of a name. Returns its length, or 0 for what cannot be a name. */
export function resolve(p: usize, end: usize): usize {
  let length: usize = 0;
  while (p < end && length <= NAME_BYTES_MAX) {
    let c = <u32>load<u8>(p);
    if (c !== BACKSLASH) p++;
    else {
      c = <u32>load<u8>(p + 1);
      if (c === 0x75) {
        if (load<u16>(p + 2) !== 0x3030) return 0;
        c = (hexDigit(load<u8>(p + 4)) << 4) | hexDigit(load<u8>(p + 5));
        p += 6;
      } else {
        if (c !== BACKSLASH && c !== QUOTE && c !== 0x2f) return 0; // \n and the like are in no name
        p += 2;
      }
    }
    store<u8>(UNESCAPED + length, <u8>c);
    length++;
  }
  return length <= NAME_BYTES_MAX ? length : 0;
}

export function hexDigit(c: u32): u32 {
  return (c & 0x0f) + (c > 0x39 ? 9 : 0);
}
