// A run as Markdown: the tables of README.md and of bench/README.md. Nothing in them that is not in the file of the run.

import type { MeasuredCase, Ratio, Row } from "./case.js";
import { digits, figureText, isReached, othersOf, ratioText } from "./figure.js";
import { machineText } from "./machine.js";
import type { Results } from "./results.js";
import { clockTime } from "./terminal.js";

/** The cells of the first table, with the heads of their columns. */
const CELLS = {
  "call-128-64": "128 B, 64 out",
  "call-128-1024": "128 B, 1,024 out",
  "call-1024-1024": "1 KiB, 1,024 out",
  "call-65536-64": "64 KiB, 64 out",
} as const;

/** What README.md shows: by what and on what it was measured, the call cells, and every bar. */
export function readmeSection(results: Results): string {
  return [provenance(results), callTable(results), barTable(results), verdict(results)].join("\n\n");
}

/** What bench/README.md shows: every row of every case. */
export function resultsSection(results: Results): string {
  return [provenance(results), ...results.cases.map(caseTable)].join("\n\n");
}

function provenance({ command, startedAt, revision, machine, tookS }: Results): string {
  const day = startedAt.slice(0, "2026-11-24".length);
  return `\`${command}\` at revision ${revision} on ${day}, ${clockTime(tookS)} minutes, on ${machineText(machine)}.`;
}

// ── the call cells ──────────────────────────────────────────────────────────────────────────────────────────────────

function callTable({ cases }: Results): string {
  const cells = Object.entries(CELLS).flatMap(([name, head]) => {
    const found = cases.find((one) => one.name === name);
    return found === undefined ? [] : [{ head, rows: found.rows }];
  });
  const titles = new Map(cells.flatMap(({ rows }) => rows.map((row) => [row.name, row])));
  const lines = [...titles.values()].map((row) => [
    row.kind === "tercet" ? `**tercet, ${row.title}**` : row.title,
    ...cells.map(({ rows }) => cellOf(rows.find(({ name }) => name === row.name))),
  ]);
  const about =
    "CPU of the router per call (caller → router → worker → router → caller), in µs; “out”: calls outstanding.";
  return `${about}\n\n${markdownTable(["router", ...cells.map(({ head }) => head)], lines)}`;
}

function cellOf(row: Row | undefined): string {
  return row === undefined ? "not measured" : digits(row.figure.value);
}

// ── the bars ────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Bar {
  one: MeasuredCase;
  row: Row;
  ratio: Ratio;
}

function barsOf({ cases }: Results): Bar[] {
  return cases.flatMap((one) =>
    one.rows.flatMap((row) =>
      row.ratios.filter(({ reach }) => reach !== undefined).map((ratio) => ({ one, row, ratio })),
    ),
  );
}

function barTable(results: Results): string {
  const lines = barsOf(results).map(({ one, row, ratio }) => [
    one.title,
    row.title,
    figureText(row.figure),
    controlText(one, ratio),
    foundText(ratio),
    isReached(ratio) ? "✓" : "✗",
  ]);
  const about = "Every bar. A ratio is the median of those turn by turn, not the quotient of two medians.";
  return `${about}\n\n${markdownTable(["what", "of tercet", "figure", "against", "found (to reach)", ""], lines)}`;
}

/** The control with its own figure; or what is counted, of a bar that is a figure. */
function controlText({ rows }: MeasuredCase, { control, unit }: Ratio): string {
  const row = rows.find(({ name }) => name === control);
  if (unit !== undefined || row === undefined) return control;
  return `${row.title}: ${figureText(row.figure)}`;
}

function foundText({ value, reach, unit }: Ratio): string {
  if (unit === undefined) return `${digits(value)} × (≤ ${reach})`;
  return `${figureText({ value, unit })} (≤ ${figureText({ value: reach ?? Number.NaN, unit })})`;
}

/** How many bars were reached, and each that was not. */
function verdict(results: Results): string {
  const bars = barsOf(results);
  const missed = bars.filter(({ ratio }) => !isReached(ratio));
  const unmeasured = results.cases.flatMap((one) => one.unmeasured.map((row) => ({ one, ...row })));
  const count = `${bars.length - missed.length} of ${bars.length} bars are reached ([bench/budget.ts](bench/budget.ts) has them).`;
  const list = [
    ...missed.map(
      ({ one, row, ratio }) => `- not reached: \`${one.name}\`, ${row.title}: ${ratioText(ratio)}`,
    ),
    ...unmeasured.map(({ one, title, why }) => `- not measured: \`${one.name}\`, ${title}: ${why}`),
  ];
  return [count, ...(list.length === 0 ? [] : [list.join("\n")])].join("\n\n");
}

// ── every row ───────────────────────────────────────────────────────────────────────────────────────────────────────

function caseTable(one: MeasuredCase): string {
  const lines = one.rows.map((row) => [
    row.kind === "tercet" ? `**${row.title}**` : row.title,
    figureText(row.figure),
    othersOf(row).join(", "),
    row.ratios.map(markedRatio).join(", "),
  ]);
  const missing = one.unmeasured.map(({ title, why }) => [title, "not measured", why, ""]);
  const table = markdownTable(["row", "figure", "beside", "ratios"], [...lines, ...missing]);
  return `**\`${one.name}\`**: ${one.title}\n\n${table}`;
}

function markedRatio(ratio: Ratio): string {
  if (ratio.reach === undefined) return ratioText(ratio);
  return `${ratioText(ratio)} ${isReached(ratio) ? "✓" : "✗"}`;
}

// ── Markdown ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** With its columns aligned, so that it can be read as it is. */
export function markdownTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const cells = [head, ...lines].map((line) =>
    line.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")),
  );
  const widths = head.map((_, at) => Math.max(3, ...cells.map((line) => line[at]?.length ?? 0)));
  const written = cells.map(
    (line) => `| ${line.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`,
  );
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [written[0], rule, ...written.slice(1)].join("\n");
}

/** `text` with what stands between the two marks replaced. Throws when they are not there, once and in order. */
export function between(text: string, mark: string, section: string): string {
  const [open, close] = [`<!-- ${mark} -->`, `<!-- end of ${mark} -->`];
  const [from, to] = [text.indexOf(open), text.indexOf(close)];
  if (from === -1 || to < from || text.lastIndexOf(open) !== from || text.lastIndexOf(close) !== to)
    throw new Error(`no ${open} … ${close}, or more than one`);
  return `${text.slice(0, from + open.length)}\n\n${section}\n\n${text.slice(to)}`;
}
