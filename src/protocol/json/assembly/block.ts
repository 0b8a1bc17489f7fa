// Arrays and objects of any size and depth, 64 bytes at a time: grammar, strings, numbers and literals are checked as
// arithmetic on masks of one bit a byte (mask.ts); depth is followed by a stack of one bit a level. Builds nothing; for the
// object under `data` it also counts the members that name the caller's id.
import { digitsIn, equal, escapable, hexIn, isControl, isSpecial, isStop, mask, prefixXor } from "./mask";
import { BRACKETS, CALLER_NAME, LEVELS_MAX } from "./memory-map";
import { named } from "./name";
import { at, BACKSLASH, number, refuse, string, textEnd } from "./token";

const ODD_BITS: u64 = 0xaaaaaaaa | ((<u64>0xaaaaaaaa) << 32);
const WORD_TRUE: u32 = 0x65757274;
const WORD_FALSE: u64 = 0x65736c6166;
const WORD_NULL: u32 = 0x6c6c756e;

/** The deepest level seen, and the levels around the value that bits() checks. */
export let levels: i32 = 0;
let levelsAround: i32 = 0;
export let tooDeep: bool = false;
/** Members of the object that bits() checked last: all, and those named as the caller's id. */
export let members: i32 = 0;
export let callerKeys: i32 = 0;

// While bits() runs: the levels open, the innermost 64 of them (1 = object, the last one lowest), where our part of the
// block ends, and whether the members of the outermost object are to be counted.
let depth: i32 = 0;
let stack: u64 = 0;
let until: u64 = 0;
let ownKeys: bool = false;

/** Sets how many levels are around whatever bits() is going to check. */
export function beginLevels(around: i32): void {
  levels = around;
  levelsAround = around;
  tooDeep = false;
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
export function bits(p: usize, own: bool): usize {
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
        bad |= hex & ~hexIn(a, b, c, d);
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

/** A key that is no string at all is left to bits(), which refuses the text. */
function countCallerKey(start: usize): void {
  const end = string(start);
  if (end !== 0 && named(start, end, CALLER_NAME)) callerKeys++;
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
