// Every bound of the engine, with its reason. Nothing grows without a name in this file.
//
// These are facts of the wire: what a frame may hold so that no official SDK's receive loop ends on it.

/** Nesting of a JSON frame that every official SDK still reads (the Rust SDK's parser stops at 127); the envelope is level 1. */
export const JSON_DEPTH_MAX = 127;
/** Nesting of a payload, which sits inside the envelope. */
export const PAYLOAD_DEPTH_MAX = JSON_DEPTH_MAX - 1;
/** Digits of an integer in a JSON frame: Python's `int` refuses longer ones with an exception. */
export const JSON_INTEGER_DIGITS_MAX = 4_300;
