// The public msgpack test suite: every value with every encoding it may have. Read in place; says aloud when it is not there.
import { existsSync, readFileSync } from "node:fs";
import type { TestContext } from "node:test";

const SUITE = "../shared/data/msgpack-test-suite/msgpack-test-suite.json";

export interface SuiteCase {
  /** nil, bool, binary, number, string, array, map, timestamp, ext. */
  type: string;
  /** As JSON has it; numbers beyond 2^53 stand in `bignum`. */
  value: unknown;
  bignum: string | undefined;
  encodings: Buffer[];
}

/** All cases, or undefined after telling the test to be skipped. */
export function msgpackSuite(t: TestContext): SuiteCase[] | undefined {
  if (!existsSync(SUITE)) {
    t.skip(`${SUITE} is not here`);
    return undefined;
  }
  const groups = JSON.parse(readFileSync(SUITE, "utf8")) as Record<string, Record<string, unknown>[]>; // the suite's own shape
  return Object.values(groups).flat().map(suiteCase);
}

function suiteCase(row: Record<string, unknown>): SuiteCase {
  const type = Object.keys(row).find((key) => key !== "msgpack" && key !== "bignum") ?? "number";
  const encodings = (row["msgpack"] as string[]).map((text) => Buffer.from(text.replaceAll("-", ""), "hex"));
  return { type, value: row[type], bignum: row["bignum"] as string | undefined, encodings };
}
