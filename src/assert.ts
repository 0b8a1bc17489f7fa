// Our own mistakes stop the process: an engine whose tables contradict each other must not go on routing.

/** Throws when `condition` does not hold. The sentence says what should have been true. */
export function assert(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new AssertionError(sentence);
}

/** For the `default:` of a switch that handles every case: reaching it is a type error first, a crash second. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}

export class AssertionError extends Error {
  override readonly name = "AssertionError";
}
