// The envelope scanner in AssemblyScript: one pass over a JSON frame that checks every byte of it and builds nothing.
// The envelope (the top-level object) is read token by token, because its keys are few and their places are wanted;
// whatever array or object stands in it is checked by block.ts, 64 bytes at a time, which is where the bytes are.
// It relies on the memory map shared with ../scanner.ts, and on UTF-8 validity having been checked before. What to do
// about depth, digits and unknown message types is left to the engine.
import { beginLevels, bits, callerKeys, levels, members, tooDeep } from "./block";
import {
  ARRAY,
  CALLER_KEYS,
  CALLER_NAME,
  DIGITS,
  ENDS,
  ERROR_AT,
  FALSE,
  KEY_DATA,
  KEY_NAMES,
  KEY_TYPE,
  KINDS,
  LEVELS,
  NOT_JSON,
  NOT_OBJECT,
  NULL,
  NUMBER,
  OBJECT,
  OK,
  OTHER_MEMBERS,
  RESULT,
  STARTS,
  STRING,
  STRING_ESCAPED,
  TOO_DEEP,
  TRUE,
  TYPE,
  TYPE_NAMES,
} from "./memory-map";
import { lookUp, named } from "./name";
import {
  at,
  beginText,
  digits,
  errorAt,
  escaped,
  literal,
  number,
  QUOTE,
  refuse,
  space,
  string,
  textEnd,
} from "./token";

export { learn } from "./name";

/** Of the value read last. */
let kind: i32 = 0;

/** Checks the frame at [ptr, ptr + length) and fills the result. Returns a status. */
export function scan(ptr: usize, length: usize): i32 {
  beginText(ptr, length);
  for (let i: usize = 0; i < 128; i += 16) v128.store(RESULT + KINDS + i, i64x2.splat(0));
  store<i64>(RESULT, 0, TYPE);
  store<i32>(RESULT, 0, OTHER_MEMBERS);
  let p = space(ptr);
  let status = OK;
  if (at(p) === 0x7b) {
    beginLevels(1);
    p = envelope(p);
  } else {
    beginLevels(0);
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
  beginText(start, end - start);
  beginLevels(0);
  let next = space(start + 1); // the quote of the next key
  let p = next; // what is not yet written
  let out = next; // where it goes
  let keptEnd = start + 1; // where the last kept value ended: a comma after it is only right if another one follows
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
