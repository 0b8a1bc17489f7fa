// Configuration files with anything done to them: reading one gives a configuration or positioned problems, soon.
import assert from "node:assert/strict";
import { parseConfig } from "../../src/config/load.js";
import { ConfigError } from "../../src/config/problem.js";
import { Random } from "../support/random.js";
import { pureFuzzer, type Tally } from "./fuzzer.js";

/** Far above what any of these takes on a busy machine. */
const READ_MS_MAX = 5_000;
const TEXT = `# comment
server: { host: 127.0.0.1, port: "\${PORT:49134}" }
limits:
  call_timeout_ms: 1000
functions:
  - { match: "math::*", share: hash, timeout_ms: 5 }
log: &log { level: info }
reload:
  on_invalid: keep
workers:
  - &base
    name: a
    command: [node, "a b", 'c']
    env: { A: 1, B: "\${HOME_OF_NOBODY:x}" }
    depends_on: { b: started }
    restart: { policy: never, fatal_codes: [1, 2] }
  - name: b
    command: >-
      sleep 1
      && exit
    ready: { log: "^up" }
    watch: [src/**]
modules:
  - name: iii-worker-manager
    config: { port: 4000 }
`;
const PIECES = [
  "{",
  "}",
  "[",
  "]",
  ":",
  ": ",
  "- ",
  "\n",
  "\n  ",
  "\t",
  "#",
  "&x ",
  "*x",
  "*base",
  "!!int ",
  "|",
  ">",
  "'",
  '"',
  "${",
  "${A}",
  "null",
  "~",
  "-1",
  "1e9",
  "\u0000",
  "\ufeff",
  "é😀",
  "<<: ",
  "? ",
  "---\n",
  "%YAML 1.1\n",
  "name: ",
  "__proto__: ",
  "constructor: ",
];

export const config = pureFuzzer(
  "config",
  "every mutation of a configuration file is a configuration, or problems that have a place and a sentence",
  (seed, tally) => {
    const random = new Random(seed);
    return () => judge(mutated(TEXT, random), tally);
  },
);

function mutated(text: string, random: Random): string {
  for (let changes = 1 + random.below(6); changes > 0; changes--) {
    const [at, length] = [random.below(text.length + 1), random.below(12)];
    const inserted = random.pick([random.pick(PIECES), random.pick(text.split("\n")), ""]);
    text = text.slice(0, at) + inserted + text.slice(at + length);
  }
  return text;
}

function judge(text: string, tally: Tally): void {
  const startedMs = performance.now();
  try {
    assert.ok(parseConfig(text, { shownAs: "f.yaml" }).listeners.length > 0, text);
    tally.add("accepted");
  } catch (error) {
    if (!(error instanceof ConfigError)) throw new Error(`${String(error)}\n${text}`, { cause: error });
    judgeProblems(error, text);
    tally.add("refused");
  }
  assert.ok(performance.now() - startedMs < READ_MS_MAX, `takes too long:\n${text}`);
}

function judgeProblems(error: ConfigError, text: string): void {
  const lines = text.split("\n");
  assert.ok(error.problems.length > 0);
  for (const { line, column, message, source } of error.problems) {
    const isPlaced = line <= lines.length && (line === 0 || column >= 1);
    assert.ok(message !== "" && isPlaced, `${message} at ${line}:${column}\n${text}`);
    if (source !== undefined) assert.equal(source, (lines[line - 1] ?? "").replace(/\r$/, ""));
  }
}
