// Where things lie in the scanner's part of the memory, and the numbers that cross to JavaScript. ../scanner.ts holds the
// same map and fills the name tables; everything is below 65,536, and what is above is the caller's: only read, and moved
// by cutCallerKeys.

export const RESULT: usize = 4096; // i32 fields, see ../scanner.ts
export const KEY_NAMES: usize = 8192; // 64 slots of 32 bytes: the name, its length at 30, its number at 31
export const TYPE_NAMES: usize = 10240; // the same for message types
export const CALLER_NAME: usize = 12288; // "_caller_worker_id", as in a slot
export const UNESCAPED: usize = 12352; // 64 bytes: a name with its escapes resolved
export const BRACKETS: usize = 16384; // one bit for each open level, 1 = object, in words of 64 levels
export const LEVELS_MAX: i32 = 65536;

// Statuses and kinds, as in ../scanner.ts.
export const OK: i32 = 0;
export const NOT_JSON: i32 = 1;
export const NOT_OBJECT: i32 = 2;
export const TOO_DEEP: i32 = 3;

export const STRING: i32 = 1;
export const STRING_ESCAPED: i32 = 2;
export const OBJECT: i32 = 3;
export const ARRAY: i32 = 4;
export const NUMBER: i32 = 5;
export const TRUE: i32 = 6;
export const FALSE: i32 = 7;
export const NULL: i32 = 8;

// Fields of the result, in bytes from RESULT.
export const ERROR_AT: usize = 0;
export const LEVELS: usize = 4;
export const DIGITS: usize = 8;
export const TYPE: usize = 12;
export const CALLER_KEYS: usize = 16;
export const OTHER_MEMBERS: usize = 20;
export const KINDS: usize = 32; // 32 × i32, by key
export const STARTS: usize = 160; // 32 × i32
export const ENDS: usize = 288; // 32 × i32

export const KEY_TYPE: i32 = 1;
export const KEY_DATA: i32 = 4;
