// Four hexadecimal digits for a slot number, as one 32-bit word of ASCII.
//
// The load generators write the number of the slot into every payload and find it again in the answer, on both wires
// and after a translation: this is how an answer that belongs to another call is noticed. One load, one store.

/** Slots a caller may have open at once: what four digits can tell apart. */
export const SLOTS_MAX = 1 << 16;

/** The word that spells a slot number, `STAMPS[42]` = "002a". Big-endian, as DataView reads by default. */
export const STAMPS: Uint32Array = Uint32Array.from({ length: SLOTS_MAX }, (_, slot) =>
  Buffer.from(slot.toString(16).padStart(4, "0"), "latin1").readUInt32BE(),
);

const DIGITS = new Uint8Array(256);
for (let digit = 0; digit < 16; digit++) DIGITS[digit.toString(16).charCodeAt(0)] = digit;

/** The slot number that a word spells. A word that spells none gives some number whose stamp differs from the word. */
export function slotOf(stamp: number): number {
  return (
    (DIGITS[stamp >>> 24]! << 12) |
    (DIGITS[(stamp >>> 16) & 255]! << 8) |
    (DIGITS[(stamp >>> 8) & 255]! << 4) |
    DIGITS[stamp & 255]!
  );
}
