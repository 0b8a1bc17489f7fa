// Seeded: whatever is done to a configuration file, reading it gives a configuration or positioned problems, soon.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { parseConfig } from "../../src/config/load.js";
import { ConfigError } from "../../src/config/problem.js";

const SEED = 20_260_823;
const ROUNDS = 1_500;
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

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function mutate(text: string, below: (n: number) => number): string {
  for (let changes = 1 + below(6); changes > 0; changes--) {
    const [at, length] = [below(text.length + 1), below(12)];
    const lines = text.split("\n");
    const line = lines[below(lines.length)] ?? "";
    const inserted = [PIECES[below(PIECES.length)] ?? "", line, ""][below(3)] ?? "";
    text = text.slice(0, at) + inserted + text.slice(at + length);
  }
  return text;
}

test("parseConfig() answers every mutation with a configuration or with problems that have a place and a sentence", () => {
  const below = random(SEED);
  let accepted = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const text = mutate(TEXT, below);
    const startedMs = performance.now();
    try {
      assert(parseConfig(text, { shownAs: "f.yaml" }).listeners.length > 0);
      accepted++;
    } catch (error) {
      assert(
        error instanceof ConfigError,
        `seed ${SEED}, round ${round}: ${String(error instanceof Error ? error.stack : error)}\n${text}`,
      );
      const lines = text.split("\n");
      for (const { line, column, message, source } of error.problems) {
        assert(
          message !== "" && line <= lines.length && (line === 0 || column >= 1),
          `round ${round}: ${message} at ${line}:${column}`,
        );
        if (source !== undefined)
          assert.equal(source, (lines[line - 1] ?? "").replace(/\r$/, ""), `round ${round}`);
      }
    }
    assert(performance.now() - startedMs < 2_000, `seed ${SEED}, round ${round} takes too long`);
  }
  assert(accepted > ROUNDS / 50 && accepted < ROUNDS / 2, `${accepted} of ${ROUNDS} were accepted`);
});
