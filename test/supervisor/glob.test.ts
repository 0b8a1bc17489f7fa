// Patterns of paths, as `watch` entries of the configuration write them.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { matcher, rootOf } from "../../src/supervisor/glob.js";

test("matcher() matches whole paths", () => {
  const cases: readonly [string, string, boolean][] = [
    ["src/*.ts", "src/a.ts", true],
    ["src/*.ts", "src/deep/a.ts", false],
    ["src/**/*.ts", "src/a.ts", true],
    ["src/**/*.ts", "src/deep/er/a.ts", true],
    ["**/node_modules/**", "a/node_modules/x/y", true],
    ["**/node_modules/**", "node_modules/x", true],
    ["*.{ts,js}", "a.js", true],
    ["*.{ts,js}", "a.jsx", false],
    ["a?c", "abc", true],
    ["a?c", "a/c", false],
    ["[ab].txt", "b.txt", true],
    ["./config.yaml", "config.yaml", true],
    ["a+b(c).x", "a+b(c).x", true],
    ["a.ts", "a_ts", false],
  ];
  for (const [glob, path, expected] of cases)
    assert.equal(matcher([glob])(path), expected, `${glob} ${path}`);
});

test("rootOf() is what stands before the first wildcard", () => {
  assert.deepEqual(["src/**/*.ts", "*.js", "a/b.txt", "./x/{a,b}/c", "x.js"].map(rootOf), [
    "src",
    ".",
    "a",
    "x",
    ".",
  ]);
});
