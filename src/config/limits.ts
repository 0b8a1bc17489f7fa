// The bounds of a configuration, each with its reason.
import { strict as assert } from "node:assert";

export const LIMITS = {
  /** A generous hand-written file has a few hundred kilobytes; more is a mistake, and parsing it would cost seconds. */
  fileBytesMax: 1 << 20,
  /** An env file is read by the same process under the same argument. */
  envFileBytesMax: 1 << 20,
  /** Linux refuses a single environment string beyond 128 KiB; the name and the = take their part. */
  workerConfigBytesMax: 120 << 10,
  /** setTimeout counts in a signed 32-bit integer. */
  timerMsMax: 2 ** 31 - 1,
  /** A process costs megabytes: hundreds are a pool, thousands a typing mistake. */
  replicasMax: 512,
  workersMax: 1024,
  nameCharactersMax: 128,
} as const;

assert(LIMITS.workerConfigBytesMax < 128 << 10, "the settings of a worker fit one environment string");
