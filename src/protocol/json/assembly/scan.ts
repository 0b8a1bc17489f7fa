// The envelope scanner in AssemblyScript: one pass over a JSON frame that checks every byte of it and builds nothing.
// The envelope (the top-level object) is read token by token, because its keys are few and their places are wanted;
// whatever array or object stands in it is checked 64 bytes at a time by bits(), which is where the bytes are.
// It relies on the memory map below (shared with ../scanner.ts, which fills the name tables) and on UTF-8 validity
// having been checked before. What to do about depth, digits and unknown message types is left to the engine.

// Memory map, in bytes. Everything lies below 65,536; above is the caller's and only read (cutCallerKeys moves it).
const RESULT: usize = 4096; // i32 fields, see ../scanner.ts
const KEY_NAMES: usize = 8192; // 64 slots of 32 bytes: the name, its length at 30, its number at 31
const TYPE_NAMES: usize = 10240; // the same for message types
const CALLER_NAME: usize = 12288; // "_caller_worker_id", as in a slot
const UNESCAPED: usize = 12352; // 64 bytes: a name with its escapes resolved
const BRACKETS: usize = 16384; // one bit for each open level, 1 = object, in words of 64 levels
const LEVELS_MAX: i32 = 65536;

const NAME_BYTES_MAX: usize = 29;

// Statuses and kinds, as in ../scanner.ts.
const OK: i32 = 0;
const NOT_JSON: i32 = 1;
const NOT_OBJECT: i32 = 2;
const TOO_DEEP: i32 = 3;

const STRING: i32 = 1;
const STRING_ESCAPED: i32 = 2;
const OBJECT: i32 = 3;
const ARRAY: i32 = 4;
const NUMBER: i32 = 5;
const TRUE: i32 = 6;
const FALSE: i32 = 7;
const NULL: i32 = 8;

// Fields of the result, in bytes from RESULT.
const ERROR_AT: usize = 0;
const LEVELS: usize = 4;
const DIGITS: usize = 8;
const TYPE: usize = 12;
const CALLER_KEYS: usize = 16;
const OTHER_MEMBERS: usize = 20;
const KINDS: usize = 32; // 32 × i32, by key
const STARTS: usize = 160; // 32 × i32
const ENDS: usize = 288; // 32 × i32

const KEY_TYPE: i32 = 1;
const KEY_DATA: i32 = 4;

const QUOTE: u32 = 0x22;
const BACKSLASH: u32 = 0x5c;

const ODD_BITS: u64 = 0xaaaaaaaa | ((<u64>0xaaaaaaaa) << 32);

const WORD_TRUE: u32 = 0x65757274;
const WORD_ALSE: u32 = 0x65736c61;
const WORD_FALSE: u64 = 0x65736c6166;
const WORD_NULL: u32 = 0x6c6c756e;

/** Where the text ends; bytes from there on are read at times, but never believed. */
let textEnd: usize = 0;
/** The deepest level seen, and the levels around the value that bits() checks. */
let levels: i32 = 0;
let levelsAround: i32 = 0;
let tooDeep: bool = false;
let digits: i32 = 0;
/** In bits(): the levels open, whether they are objects (the innermost 64, the last one lowest), where our part of the block ends. */
let depth: i32 = 0;
let stack: u64 = 0;
let until: u64 = 0;
/** In bits(): the members of the outermost object are to be counted. */
let ownKeys: bool = false;
let errorAt: usize = 0;
/** Of the value or string read last. */
let kind: i32 = 0;
let escaped: bool = false;
/** Members of the object that bits() checked last: all, and those named as the caller's id. */
let members: i32 = 0;
let callerKeys: i32 = 0;

/** Puts a name into its slot of a table. Returns 0 if the slot is taken by another name: then hash() needs other factors. */
export function learn(table: usize, name: usize, length: usize, id: i32): i32 {
  const slot = table + (hash(name, length) << 5);
  if (load<u8>(slot, 30) !== 0 && !(<i32>load<u8>(slot, 31) === id && same(slot, name, length))) return 0;
  memory.copy(slot, name, length);
  store<u8>(slot, <u8>length, 30);
  store<u8>(slot, <u8>id, 31);
  return 1;
}

/** Checks the frame at [ptr, ptr + length) and fills the result. Returns a status. */
export function scan(ptr: usize, length: usize): i32 {
  begin(ptr, length);
  for (let i: usize = 0; i < 128; i += 16) v128.store(RESULT + KINDS + i, i64x2.splat(0));
  store<i64>(RESULT, 0, TYPE);
  store<i32>(RESULT, 0, OTHER_MEMBERS);
  let p = space(ptr);
  let status = OK;
  if (at(p) === 0x7b) {
    levels = 1;
    levelsAround = 1;
    p = envelope(p);
  } else {
    p = value(p, false);
    status = NOT_OBJECT;
  }
  if (p !== 0) {
    p = space(p);
    if (p !== textEnd) p = refuse(p);
  }
  store<i32>(RESULT, levels, LEVELS);
  store<i32>(RESULT, digits, DIGITS);
  store<i32>(RESULT, <i32>errorAt, ERROR_AT);
  if (p !== 0) return status;
  return tooDeep ? TOO_DEEP : NOT_JSON;
}

/**
 * Removes every member named as the caller's id from the object at [start, end), a text that scan() has accepted.
 * Kept members move to the front as they are. Returns the object's new end.
 */
export function cutCallerKeys(start: usize, end: usize): usize {
  begin(start, end - start);
  let out = start + 1; // where the next kept byte goes
  let keptEnd = out; // where the last kept value ended: a comma after it is only right if another one follows
  let p = start + 1; // what is not yet written
  let next = space(p);
  if (at(next) === 0x7d) return end;
  while (true) {
    const keyEnd = string(next + 1);
    const isCallerKey = named(next + 1, keyEnd, CALLER_NAME);
    const valueEnd = value(space(space(keyEnd + 1) + 1), false);
    const comma = space(valueEnd);
    const isLast = at(comma) !== 0x2c;
    if (!isCallerKey) {
      memory.copy(out, p, valueEnd - p);
      out += valueEnd - p;
      keptEnd = out;
      p = valueEnd;
    } else if (isLast) {
      out = keptEnd;
      p = valueEnd;
    }
    if (isLast) break;
    next = space(comma + 1);
    if (isCallerKey) p = next;
    else {
      memory.copy(out, p, next - p);
      out += next - p;
      p = next;
    }
  }
  memory.copy(out, p, end - p);
  return out + (end - p);
}

function begin(ptr: usize, length: usize): void {
  textEnd = ptr + length;
  errorAt = 0;
  levels = 0;
  levelsAround = 0;
  digits = 0;
  tooDeep = false;
}

/** Notes the first place where the text stopped being JSON; 0 stands for "no way on" in every function here. */
function refuse(p: usize): usize {
  errorAt = p < textEnd ? p : textEnd;
  return 0;
}

function at(p: usize): u32 {
  return p < textEnd ? <u32>load<u8>(p) : 0;
}

/** Past whitespace, of which there is mostly none. */
function space(p: usize): usize {
  return at(p) > 0x20 ? p : spaceRun(p);
}

function spaceRun(p: usize): usize {
  while (isSpace(at(p))) p++;
  return p;
}

function isSpace(c: u32): bool {
  return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09;
}

// --- the envelope, token by token ---------------------------------------------------------------------------------

/** From the opening brace at p to behind the closing one. */
function envelope(p: usize): usize {
  p = space(p + 1);
  if (at(p) === 0x7d) return p + 1;
  while (true) {
    if (at(p) !== QUOTE) return refuse(p);
    const start = p + 1;
    const end = string(start);
    if (end === 0) return 0;
    const key = lookUp(KEY_NAMES, start, end);
    p = space(end + 1);
    if (at(p) !== 0x3a) return refuse(p);
    p = field(key, space(p + 1));
    if (p === 0) return 0;
    p = space(p);
    const c = at(p);
    if (c === 0x7d) return p + 1;
    if (c !== 0x2c) return refuse(p);
    p = space(p + 1);
  }
}

/** Reads the value at p and notes where it stands under its key. A key that comes again overwrites. */
function field(key: i32, p: usize): usize {
  const end = value(p, key === KEY_DATA);
  if (end === 0 || key === 0) return end;
  const row = RESULT + ((<usize>key) << 2);
  const quoted = <usize>(kind <= STRING_ESCAPED);
  store<i32>(row, kind, KINDS);
  store<i32>(row, <i32>(p + quoted), STARTS);
  store<i32>(row, <i32>(end - quoted), ENDS);
  if (key === KEY_TYPE) {
    store<i32>(RESULT, quoted ? lookUp(TYPE_NAMES, p + 1, end - 1) : 0, TYPE);
  } else if (key === KEY_DATA) {
    const isObject = kind === OBJECT;
    store<i32>(RESULT, isObject ? callerKeys : 0, CALLER_KEYS);
    store<i32>(RESULT, <i32>(isObject && members > callerKeys), OTHER_MEMBERS);
  }
  return end;
}

/** Any value; returns where it ends and leaves its kind. `own`: count the members of an object and the caller's ids. */
function value(p: usize, own: bool): usize {
  const c = at(p);
  if (c === QUOTE) {
    const end = string(p + 1);
    if (end === 0) return 0;
    kind = escaped ? STRING_ESCAPED : STRING;
    return end + 1;
  }
  if (c === 0x7b || c === 0x5b) {
    kind = c === 0x7b ? OBJECT : ARRAY;
    return bits(p, own && c === 0x7b);
  }
  if (c - 0x30 < 10 || c === 0x2d) {
    kind = NUMBER;
    return number(p);
  }
  kind = c === 0x74 ? TRUE : c === 0x66 ? FALSE : NULL;
  return literal(p);
}

/** From the first byte inside the quotes to the closing quote. Leaves whether there was an escape. */
function string(p: usize): usize {
  escaped = false;
  while (true) {
    const stop = i8x16.bitmask(isStop(v128.load(p)));
    if (stop === 0) {
      p += 16;
      if (p >= textEnd) return refuse(p);
      continue;
    }
    p += ctz(stop);
    const c = at(p);
    if (c === QUOTE) return p;
    if (c !== BACKSLASH) return refuse(p);
    escaped = true;
    if (!isEscape(p + 1)) return refuse(p + 1);
    p += 2;
  }
}

/** The character at p, which follows a backslash, makes an escape (with its four hex digits, if it is u). */
function isEscape(p: usize): bool {
  const c = at(p);
  if (c === 0x75) return p + 4 < textEnd && isHex(load<u32>(p + 1));
  return (
    c === 0x22 ||
    c === 0x5c ||
    c === 0x2f ||
    c === 0x62 ||
    c === 0x66 ||
    c === 0x6e ||
    c === 0x72 ||
    c === 0x74
  );
}

/** Four bytes at once: each is 0-9, a-f or A-F. */
function isHex(word: u32): bool {
  const v = i32x4.splat(word);
  const digit = i8x16.lt_u(i8x16.sub(v, i8x16.splat(0x30)), i8x16.splat(10));
  const letter = i8x16.lt_u(i8x16.sub(v128.or(v, i8x16.splat(0x20)), i8x16.splat(0x61)), i8x16.splat(6));
  return i8x16.all_true(v128.or(digit, letter));
}

function literal(p: usize): usize {
  if (p + 4 <= textEnd) {
    const word = load<u32>(p);
    if (word === WORD_TRUE || word === WORD_NULL) return p + 4;
    if (p + 5 <= textEnd && load<u8>(p) === 0x66 && load<u32>(p + 1) === WORD_ALSE) return p + 5;
  }
  return refuse(p);
}

function number(p: usize): usize {
  if (at(p) === 0x2d) p++;
  const start = p;
  p = digitRun(p);
  if (p === 0) return 0;
  if (at(start) === 0x30 && p !== start + 1) return refuse(start + 1);
  const c = at(p);
  if (c === 0x2e || (c | 0x20) === 0x65) return fraction(p);
  digits = max(digits, <i32>(p - start));
  return p;
}

/** What may follow the whole part of a number: p stands on the point or on the e. */
function fraction(p: usize): usize {
  if (at(p) === 0x2e) {
    p = digitRun(p + 1);
    if (p === 0) return 0;
  }
  if ((at(p) | 0x20) !== 0x65) return p;
  const sign = at(p + 1);
  return digitRun(sign === 0x2b || sign === 0x2d ? p + 2 : p + 1);
}

/** One or more digits. */
function digitRun(p: usize): usize {
  const start = p;
  while (at(p) - 0x30 < 10) p++;
  return p === start ? refuse(p) : p;
}

// --- names --------------------------------------------------------------------------------------------------------

/** The number of the name between two quotes, read by string() just before; 0: not in the table. */
function lookUp(table: usize, start: usize, end: usize): i32 {
  let length = end - start;
  if (escaped) {
    length = resolve(start, end);
    start = UNESCAPED;
  }
  if (length - 1 >= NAME_BYTES_MAX) return 0;
  const slot = table + (hash(start, length) << 5);
  return <usize>load<u8>(slot, 30) === length && same(slot, start, length) ? load<u8>(slot, 31) : 0;
}

/** The name between two quotes, read by string() just before, is the one in this slot. */
function named(start: usize, end: usize, slot: usize): bool {
  let length = end - start;
  if (escaped) {
    length = resolve(start, end);
    start = UNESCAPED;
  }
  return length === <usize>load<u8>(slot, 30) && same(slot, start, length);
}

/** Free of collisions for our names: learn() makes sure. The second letter tells ping from pong. */
function hash(name: usize, length: usize): usize {
  const second = <usize>load<u8>(name + 1);
  const last = <usize>load<u8>(name + length - 1);
  return (length * 2 + second * 25 + last * 3) & 63;
}

/** Up to 32 bytes are equal; reads 32 of each. */
function same(a: usize, b: usize, length: usize): bool {
  const low = <u32>i8x16.bitmask(i8x16.eq(v128.load(a), v128.load(b)));
  const high = <u32>i8x16.bitmask(i8x16.eq(v128.load(a, 16), v128.load(b, 16)));
  return <usize>ctz(~(low | (high << 16))) >= length;
}

/** Resolves the escapes of a name. Returns its length, or 0 for what is longer than any name or not ASCII. */
function resolve(p: usize, end: usize): usize {
  let length: usize = 0;
  while (p < end && length <= NAME_BYTES_MAX) {
    let c = <u32>load<u8>(p);
    if (c !== BACKSLASH) p++;
    else {
      c = <u32>load<u8>(p + 1);
      if (c === 0x75) {
        if (load<u16>(p + 2) !== 0x3030) return 0;
        c = (hexDigit(load<u8>(p + 4)) << 4) | hexDigit(load<u8>(p + 5));
        if (c > 0x7f) return 0;
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

function hexDigit(c: u32): u32 {
  return (c & 0x0f) + (c > 0x39 ? 9 : 0);
}

// --- arrays and objects, 64 bytes at a time -----------------------------------------------------------------------

/** Bit i is the top bit of byte i of the 64 bytes in four vectors. */
function mask(a: v128, b: v128, c: v128, d: v128): u64 {
  return (
    <u64>(<u32>i8x16.bitmask(a) | ((<u32>i8x16.bitmask(b)) << 16)) |
    ((<u64>(<u32>i8x16.bitmask(c) | ((<u32>i8x16.bitmask(d)) << 16))) << 32)
  );
}

/** Where 64 bytes hold the byte of `x`. */
function equal(a: v128, b: v128, c: v128, d: v128, x: v128): u64 {
  return mask(i8x16.eq(a, x), i8x16.eq(b, x), i8x16.eq(c, x), i8x16.eq(d, x));
}

function isControl(v: v128): v128 {
  return i8x16.eq(i8x16.min_u(v, i8x16.splat(0x1f)), v);
}

/** A backslash or a control character: rare, so that one test for both spares two masks. */
function isSpecial(v: v128): v128 {
  return v128.or(i8x16.eq(v, i8x16.splat(0x5c)), isControl(v));
}

/** A quote, a backslash or a control character: what can matter inside a string. */
function isStop(v: v128): v128 {
  return v128.or(i8x16.eq(v, i8x16.splat(0x22)), isSpecial(v));
}

/** Each bit becomes the exclusive or of itself and all lower ones: between an odd and an even quote all is one. */
function prefixXor(x: u64): u64 {
  x ^= x << 1;
  x ^= x << 2;
  x ^= x << 4;
  x ^= x << 8;
  x ^= x << 16;
  x ^= x << 32;
  return x;
}

function digitsIn(a: v128, b: v128, c: v128, d: v128): u64 {
  return mask(isDigit(a), isDigit(b), isDigit(c), isDigit(d));
}

function isDigit(v: v128): v128 {
  const x = i8x16.sub(v, i8x16.splat(0x30));
  return i8x16.eq(i8x16.min_u(x, i8x16.splat(9)), x);
}

function hexIn(a: v128, b: v128, c: v128, d: v128): u64 {
  return mask(isHexDigit(a), isHexDigit(b), isHexDigit(c), isHexDigit(d));
}

function isHexDigit(v: v128): v128 {
  const x = i8x16.sub(v128.or(v, i8x16.splat(0x20)), i8x16.splat(0x61));
  return v128.or(isDigit(v), i8x16.eq(i8x16.min_u(x, i8x16.splat(5)), x));
}

/** Where 64 bytes hold what may follow a backslash. */
function escapable(a: v128, b: v128, c: v128, d: v128): u64 {
  return mask(isEscapable(a), isEscapable(b), isEscapable(c), isEscapable(d));
}

function isEscapable(v: v128): v128 {
  // By the low half of a byte: the one character that may follow a backslash. r and " share theirs with b.
  const byLow = i8x16(0, 0, 0x62, 0, 0x74, 0x75, 0x66, 0, 0, 0, 0, 0, 0x5c, 0, 0x6e, 0x2f);
  const same = i8x16.eq(i8x16.swizzle(byLow, v128.and(v, i8x16.splat(0x0f))), v);
  return v128.or(same, v128.or(i8x16.eq(v, i8x16.splat(0x72)), i8x16.eq(v, i8x16.splat(0x22))));
}

/** The bytes of true, false and null, where a scalar that begins at one of `starts` is exactly that. */
function literals(p: usize, scalars: u64, starts: u64): u64 {
  let found: u64 = 0;
  while (starts !== 0) {
    const i = ctz(starts);
    const word = load<u64>(p + <usize>i);
    const run = scalars >> i; // ones as far as the scalar goes, then a zero
    // No branches here: which literal comes next cannot be foretold.
    const four = (i32(<u32>word === WORD_TRUE) | i32(<u32>word === WORD_NULL)) & i32((run & 0x1f) === 0x0f);
    const five = i32((word & 0xffffffffff) === WORD_FALSE) & i32((run & 0x3f) === 0x1f);
    found |= (<u64>(four * 0x0f + five * 0x1f)) << i;
    starts &= starts - 1;
  }
  return found;
}

/**
 * What is wrong with the numbers of a block, whose digits are `numerals` and whose first bytes are among `starts`.
 * `others` are the bytes of scalars that are neither digits nor a literal's: each has to be a sign, a point or an e in
 * its place. An addition carries from the first digit of a run to the byte behind its last one.
 */
function badNumbers(a: v128, b: v128, c: v128, d: v128, starts: u64, numerals: u64, others: u64): u64 {
  const minus = equal(a, b, c, d, i8x16.splat(0x2d));
  const signs = minus | equal(a, b, c, d, i8x16.splat(0x2b));
  const es = equal(a, b, c, d, i8x16.splat(0x65)) | equal(a, b, c, d, i8x16.splat(0x45));
  const negative = starts & minus;
  const whole = (starts & numerals) | (negative << 1);
  const zeros = whole & equal(a, b, c, d, i8x16.splat(0x30)) & (numerals >> 1);
  const wholeEnd = (numerals + (whole & numerals)) & ~numerals;
  const point = wholeEnd & others & equal(a, b, c, d, i8x16.splat(0x2e));
  const part = point << 1;
  const partEnd = (numerals + (part & numerals)) & ~numerals;
  const e = (wholeEnd | partEnd) & others & es;
  const sign = (e << 1) & others & signs;
  const power = ((e << 1) & ~sign) | (sign << 1);
  return zeros | ((whole | part | power) & ~numerals) | (others & ~(negative | point | e | sign));
}

/**
 * The array or object that opens at p. Returns where it ends.
 *
 * A block of 64 bytes becomes masks, one bit a byte, and the grammar becomes arithmetic on them. "The token after"
 * any of a set of tokens is found by a shift and, across whitespace, by letting an addition carry through the run:
 * so the rules about neighbours need no loop. Only brackets are walked one by one, with a stack of one bit a level;
 * between two brackets the container stays the same, so that an object's "every comma is followed by a key" and an
 * array's "no colon" are each one mask against that stretch. Scalars that are not plain digits are visited, too.
 */
function bits(p: usize, own: bool): usize {
  depth = 0;
  stack = 0;
  ownKeys = own;
  let inString: u64 = 0; // all ones if the block begins inside a string
  let escapeNext: u64 = 0; // 1 if the block's first byte is escaped
  let hexWanted: u64 = 0; // ones where the block's first bytes have to be digits of a \u escape
  let keyOpen: u64 = 0; // 1 if the string that the block begins in may be a key
  // 1 if the token before the block's first is …
  let afterOpen: u64 = 0;
  let afterComma: u64 = 0;
  let afterColon: u64 = 1; // a value may stand where we begin
  let afterKey: u64 = 0;
  members = 0;
  callerKeys = 0;

  while (p < textEnd) {
    if (inString !== 0 && (escapeNext | hexWanted) === 0) p = plainText(p);
    const a = v128.load(p);
    const b = v128.load(p, 16);
    const c = v128.load(p, 32);
    const d = v128.load(p, 48);
    const left = textEnd - p;
    const valid: u64 = left >= 64 ? ~(<u64>0) : ((<u64>1) << left) - 1;

    // Strings.
    let quotes = equal(a, b, c, d, i8x16.splat(0x22)) & valid;
    let backslashes: u64 = 0;
    let control: u64 = 0;
    if (v128.any_true(v128.or(v128.or(isSpecial(a), isSpecial(b)), v128.or(isSpecial(c), isSpecial(d))))) {
      backslashes = equal(a, b, c, d, i8x16.splat(0x5c)) & valid;
      control = mask(isControl(a), isControl(b), isControl(c), isControl(d)) & valid;
    }
    let escapes: u64 = escapeNext; // the bytes that follow an escaping backslash
    if (backslashes !== 0) {
      const first = backslashes & ~escapeNext;
      const series = (((first << 1) | ODD_BITS) - first) ^ ODD_BITS;
      escapes = series ^ (backslashes | escapeNext);
      escapeNext = (series & backslashes) >> 63;
      quotes &= ~escapes;
    } else {
      quotes &= ~escapes;
      escapeNext = 0;
    }
    const strings = prefixXor(quotes) ^ inString; // with the opening quotes, without the closing ones
    inString = <u64>(<i64>strings >> 63);
    const opened = quotes & strings;
    const closed = quotes & ~strings;

    // Tokens outside of strings.
    const outside = ~(strings | closed) & valid;
    let spaces = equal(a, b, c, d, i8x16.splat(0x20)) & outside;
    if ((control & outside) !== 0) {
      spaces |=
        (equal(a, b, c, d, i8x16.splat(0x0a)) |
          equal(a, b, c, d, i8x16.splat(0x0d)) |
          equal(a, b, c, d, i8x16.splat(0x09))) &
        outside;
    }
    const commas = equal(a, b, c, d, i8x16.splat(0x2c)) & outside;
    const colons = equal(a, b, c, d, i8x16.splat(0x3a)) & outside;
    const fold = i8x16.splat(0x20); // makes { of [ and } of ]
    const fa = v128.or(a, fold);
    const fb = v128.or(b, fold);
    const fc = v128.or(c, fold);
    const fd = v128.or(d, fold);
    const opens = equal(fa, fb, fc, fd, i8x16.splat(0x7b)) & outside;
    const closes = equal(fa, fb, fc, fd, i8x16.splat(0x7d)) & outside;
    let scalars = outside & ~(spaces | commas | colons | opens | closes);
    let step: usize = 64;
    spaces |= ~valid;
    if (<i64>scalars < 0) {
      // A scalar that reaches the block's end is left to the next block, whole.
      const run = <usize>clz(~scalars);
      if (run === 64) {
        p = longScalar(
          p,
          (afterOpen | afterComma | afterColon) !== 0 && ((afterOpen | afterComma) & stack) === 0,
        );
        if (p === 0) return 0;
        afterOpen = afterComma = afterColon = afterKey = 0;
        continue;
      }
      step -= run;
      spaces |= ~(<u64>0) << step;
      scalars &= ~spaces;
    }
    const scalarStarts = scalars & ~(scalars << 1);

    // The token after each kind of token: shift, then carry through whitespace.
    let from: u64 = (opens << 1) | afterOpen;
    let to: u64 = from + spaces;
    afterOpen = <u64>(to < from) | (opens >> 63);
    const onOpen = to & ~spaces;
    from = (commas << 1) | afterComma;
    to = from + spaces;
    afterComma = <u64>(to < from) | (commas >> 63);
    const onComma = to & ~spaces;
    from = (colons << 1) | afterColon;
    to = from + spaces;
    afterColon = <u64>(to < from) | (colons >> 63);
    const onColon = to & ~spaces;
    const keyStarts = opened & (onOpen | onComma); // strings that are keys if we are in an object
    to = (keyStarts | keyOpen) + strings;
    const keyEnds = to & ~strings;
    keyOpen = <u64>(to < strings);
    from = (keyEnds << 1) | afterKey;
    to = from + spaces;
    afterKey = <u64>(to < from) | (keyEnds >> 63);
    const onKey = to & ~spaces;

    const wanted = onOpen | onComma | onColon; // here a value (or key) is wanted
    let bad =
      ((opens | opened | scalarStarts) & ~wanted) |
      ((commas | colons) & wanted) |
      (closes & (onComma | onColon)) |
      (colons & ~onKey) |
      (control & strings);
    const noKey = (((onOpen & ~closes) | onComma) & ~opened) | (onKey & ~colons); // wrong in an object

    bad |= walk(p, opens, closes, colons, noKey, keyStarts);
    const checked = until; // what comes behind our end is not ours to judge

    if ((scalars & checked) !== 0) {
      const numerals = digitsIn(a, b, c, d) & scalars;
      const leading = scalarStarts & numerals & (numerals >> 1);
      if (leading !== 0) bad |= leading & equal(a, b, c, d, i8x16.splat(0x30));
      let others = scalars & ~numerals;
      if ((others & checked) !== 0) {
        others &= ~literals(p, scalars, others & scalarStarts);
        if (others !== 0) bad |= badNumbers(a, b, c, d, scalarStarts, numerals, others);
      }
    }
    if ((escapes | hexWanted) !== 0) {
      const escaped = escapes & strings;
      const units = escaped & equal(a, b, c, d, i8x16.splat(0x75));
      bad |= escaped & ~escapable(a, b, c, d);
      if ((units | hexWanted) !== 0) {
        const hex = hexWanted | (units << 1) | (units << 2) | (units << 3) | (units << 4);
        bad |= hex & ~(hexIn(a, b, c, d) & valid);
        hexWanted = (units >> 63) | (units >> 62) | (units >> 61) | (units >> 60);
      }
    }

    if ((bad & checked) !== 0) return refuse(p + <usize>ctz(bad & checked));
    if (levels > LEVELS_MAX) {
      tooDeep = true;
      return refuse(p);
    }
    if (depth === 0) return p + 64 - <usize>clz(until);
    p += step;
  }
  return refuse(p);
}

/** Past the blocks, from p on, that hold nothing but the inside of a string. */
function plainText(p: usize): usize {
  while (p + 64 <= textEnd) {
    const low = v128.or(isStop(v128.load(p)), isStop(v128.load(p, 16)));
    const high = v128.or(isStop(v128.load(p, 32)), isStop(v128.load(p, 48)));
    if (v128.any_true(v128.or(low, high))) break;
    p += 64;
  }
  return p;
}

/**
 * Steps through the brackets of a block. Between two of them the container is the same: returns what is wrong for it,
 * colons in an array and the places of `noKey` in an object, and brackets that do not match.
 */
function walk(p: usize, opens: u64, closes: u64, colons: u64, noKey: u64, keyStarts: u64): u64 {
  let bad: u64 = 0;
  let level = depth;
  let open = stack;
  let rest: u64 = ~(<u64>0);
  let brackets = opens | closes;
  while (brackets !== 0) {
    const bit = brackets & (0 - brackets);
    const upTo = bit | (bit - 1);
    const stretch = rest & upTo;
    bad |= stretch & (colons ^ ((colons ^ noKey) & (0 - (open & 1))));
    if (ownKeys && level === 1) countMembers(p, keyStarts & stretch);
    const isObject = <u64>((load<u8>(p + <usize>ctz(bit)) >> 5) & 1);
    if ((opens & bit) !== 0) {
      if ((level & 63) === 0) store<u64>(BRACKETS + (<usize>level >> 3), open);
      open = (open << 1) | isObject;
      level++;
      if (level + levelsAround > levels) levels = level + levelsAround;
    } else {
      if ((open & 1) !== isObject) bad |= bit;
      open >>= 1;
      level--;
      if ((level & 63) === 0) {
        if (level === 0) {
          depth = 0;
          until = upTo;
          return bad;
        }
        open = load<u64>(BRACKETS + (<usize>level >> 3));
      }
    }
    rest = ~upTo;
    brackets ^= bit;
  }
  if (ownKeys && level === 1) countMembers(p, keyStarts & rest);
  depth = level;
  stack = open;
  until = ~(<u64>0);
  return bad | (rest & (colons ^ ((colons ^ noKey) & (0 - (open & 1)))));
}

/** A scalar of 64 bytes or more, which can only be a number. */
function longScalar(p: usize, isWanted: bool): usize {
  return isWanted ? number(p) : refuse(p);
}

/** Counts the keys whose opening quotes `starts` tells, and those among them that name the caller's id. */
function countMembers(p: usize, starts: u64): void {
  members += <i32>popcnt(starts);
  while (starts !== 0) {
    const start = p + <usize>ctz(starts) + 1;
    const c = at(start);
    if (c === 0x5f || c === BACKSLASH) countCallerKey(start);
    starts &= starts - 1;
  }
}

function countCallerKey(start: usize): void {
  const error = errorAt;
  const end = string(start);
  if (end !== 0 && named(start, end, CALLER_NAME)) callerKeys++;
  errorAt = error; // a key that is no string is found by bits() itself
}
