// The tables that a run writes into the pages: every bar in them, misses too, and the pages as the reference run has them.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { FULL, type Row } from "../../bench/case.js";
import { CASES } from "../../bench/cases/index.js";
import { between, markdownTable, readmeSection, resultsSection } from "../../bench/markdown.js";
import { PAGES, written } from "../../bench/readme.js";
import { REFERENCE, type Results, readResults } from "../../bench/results.js";

function row(name: string, kind: Row["kind"], value: number, ratios: Row["ratios"] = []): Row {
  const figure = { value, unit: "µs/call" };
  return {
    name,
    title: `the ${name}`,
    kind,
    figure,
    others: { "calls/s": { value: 2e5, unit: "/s" } },
    ratios,
  };
}

const RESULTS: Results = {
  command: "npm run bench",
  startedAt: "2026-11-24T01:02:03.000Z",
  revision: "abc1234",
  machine: {
    cpu: "A Processor",
    cores: 2,
    memoryGiB: 8,
    kernel: "6.1.0",
    node: "v20.0.0",
    versions: { ws: "8.0.0", "nats-server": "2.9.10" },
    pinned: true,
  },
  effort: FULL,
  tookS: 800,
  cases: [
    {
      name: "call-128-64",
      title: "calls of 128 B",
      rows: [
        row("gathered", "control", 2.5),
        row("coalesced", "tercet", 1.1, [{ control: "gathered", value: 0.44, reach: 0.55 }]),
      ],
      unmeasured: [{ name: "nats", title: "nats-server", why: "it did not start" }],
      tookS: 30,
    },
    {
      name: "pairs-64",
      title: "64 pairs",
      rows: [
        row("relay", "control", 8),
        row("single", "tercet", 10, [{ control: "relay", value: 1.25, reach: 1.15 }]),
      ],
      unmeasured: [],
      tookS: 20,
    },
  ],
};

test("readmeSection() tells command, revision, machine and versions", () => {
  const section = readmeSection(RESULTS);
  for (const said of [
    "`npm run bench`",
    "abc1234",
    "2026-11-24",
    "A Processor, 2 cores",
    "Linux 6.1.0",
    "Node v20.0.0",
    "ws 8.0.0",
    "nats-server 2.9.10",
  ])
    assert.ok(section.includes(said), said);
});

test("readmeSection() tells what was missed and what was not measured", () => {
  const section = readmeSection(RESULTS);
  assert.match(section, /1 of 2 bars are reached/);
  assert.match(section, /- not reached: `pairs-64`, the single: 1\.25 × relay > 1\.15/);
  assert.match(section, /- not measured: `call-128-64`, nats-server: it did not start/);
  assert.match(section, /\| 64 pairs +\| the single +\| 10 µs\/call +\| the relay: 8 µs\/call +\|/);
  assert.match(section, /\| 1\.25 × \(≤ 1\.15\) +\| ✗ +\|/);
});

test("resultsSection() has every row of every case", () => {
  const section = resultsSection(RESULTS);
  for (const { rows } of RESULTS.cases)
    for (const { title } of rows) assert.ok(section.includes(title), title);
});

test("markdownTable() aligns its columns and escapes what would end a cell", () => {
  assert.equal(
    markdownTable(["a", "long head"], [["x|y", "1"]]),
    "| a    | long head |\n| ---- | --------- |\n| x\\|y | 1         |",
  );
});

test("between() replaces what stands between its marks, and nothing else", () => {
  const page = "before\n<!-- m -->\nold\n<!-- end of m -->\nafter\n";
  assert.equal(between(page, "m", "new"), "before\n<!-- m -->\n\nnew\n\n<!-- end of m -->\nafter\n");
  assert.throws(() => between("nothing here", "m", "new"), /no <!-- m -->/);
  assert.throws(() => between(page + page, "m", "new"), /more than one/);
});

test("every page has its marks", () => {
  for (const page of PAGES) assert.ok(written(page, RESULTS).includes("abc1234"), page.path);
});

test("bench/README.md says what every case measures", () => {
  const page = readFileSync("bench/README.md", "utf8");
  for (const { name } of CASES) {
    const family = name.replace(/^call-.*/, "call-<bytes>-<outstanding>").replace(/^micro-.*/, "micro-*");
    assert.ok(page.includes(`\`${family}\``), name);
  }
});

const withoutReference = existsSync(REFERENCE) ? false : `there is no ${REFERENCE}`;

test("the pages show the reference run", { skip: withoutReference }, () => {
  const results = readResults(REFERENCE);
  for (const page of PAGES)
    assert.equal(
      readFileSync(page.path, "utf8"),
      written(page, results),
      `${page.path}: npm run bench:readme`,
    );
});

test("the reference run tells no host and no path", { skip: withoutReference }, () => {
  const text = readFileSync(REFERENCE, "utf8");
  assert.doesNotMatch(text, /\/(?:work|root|home|tmp)\//);
});
