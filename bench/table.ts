// A case as a table on the terminal: a line per row, its figure, a bar, what stands beside it, and its ratios to the
// controls. In a narrow window the ratios go to lines of their own.

import type { MeasuredCase, Ratio, Row } from "./case.js";
import { figureText, isReached, othersOf, ratioText } from "./figure.js";
import { bold, columns, cyan, dim, green, red } from "./terminal.js";

const BAR_WIDTH = 14;
const BAR_WIDTH_NARROW = 8;
/** From this width on a line has room for the long bar. */
const WIDE_COLUMNS = 140;
const INDENT = 6;
const BETWEEN = 3;

/** How the rows of one case are laid out. */
interface Layout {
  width: number;
  title: number;
  figure: number;
  bar: number;
  beside: number;
  highest: number;
  /** Up to where the ratios begin. */
  head: number;
  /** There is room for the ratios of every row behind its figures; else they go to lines of their own. */
  isBeside: boolean;
}

export function table(result: MeasuredCase): string {
  const layout = layoutOf(result.rows);
  const lines = result.rows.flatMap((row) => linesOf(row, layout));
  const missing = result.unmeasured.map(({ title, why }) => red(`✗ ${title}: not measured: ${why}`));
  return `\n${bold(result.name)}  ${result.title}\n${[...lines, ...missing].join("\n")}\n`;
}

function layoutOf(rows: Row[]): Layout {
  const width = columns();
  const longest = (texts: string[]) => Math.max(0, ...texts.map((text) => text.length));
  const title = longest(rows.map(({ title }) => title));
  const figure = longest(rows.map(({ figure }) => figureText(figure)));
  const bar = width >= WIDE_COLUMNS ? BAR_WIDTH : BAR_WIDTH_NARROW;
  const beside = longest(rows.map((row) => othersOf(row)[0] ?? ""));
  const head = 2 + title + figure + bar + beside + 3 * 2;
  const isBeside = rows.every((row) => wrap(cellsOf(row), width - head - BETWEEN).length <= 1);
  return {
    width,
    title,
    figure,
    bar,
    beside,
    head,
    isBeside,
    highest: Math.max(...rows.map((row) => row.figure.value)),
  };
}

/** A text and how it is painted: colours must not count as width. */
interface Cell {
  text: string;
  painted: string;
}

function linesOf(row: Row, layout: Layout): string[] {
  const title = row.title.padEnd(layout.title);
  const [beside = ""] = othersOf(row);
  const head = [
    row.kind === "tercet" ? cyan(`▸ ${title}`) : `  ${title}`,
    figureText(row.figure).padStart(layout.figure),
    dim(bar(row.figure.value / layout.highest, layout.bar)),
    dim(beside.padStart(layout.beside)),
  ].join("  ");
  const [first = "", ...rest] = wrap(cellsOf(row), layout.width - INDENT);
  if (layout.isBeside) return [`${head}${" ".repeat(BETWEEN)}${first}`.trimEnd()];
  return [head, ...(first === "" ? [] : [first, ...rest].map((line) => " ".repeat(INDENT) + line))];
}

/** What stands behind the columns, or below them. */
function cellsOf(row: Row): Cell[] {
  const [, ...more] = othersOf(row);
  return [...row.ratios.map(ratioCell), ...more.map((text) => ({ text, painted: dim(text) }))];
}

function ratioCell(ratio: Ratio): Cell {
  const text = ratioText(ratio);
  if (ratio.reach === undefined) return { text, painted: dim(text) };
  const marked = `${text} ${isReached(ratio) ? "✓" : "✗"}`;
  return { text: marked, painted: isReached(ratio) ? green(marked) : red(marked) };
}

/** As many cells on a line as fit. */
function wrap(cells: Cell[], width: number): string[] {
  const lines: string[] = [];
  let line = "";
  let used = 0;
  for (const { text, painted } of cells) {
    if (used > 0 && used + BETWEEN + text.length > width) {
      lines.push(line);
      line = "";
      used = 0;
    }
    line += used === 0 ? painted : " ".repeat(BETWEEN) + painted;
    used += text.length + (used === 0 ? 0 : BETWEEN);
  }
  return used === 0 ? lines : [...lines, line];
}

function bar(share: number, width: number): string {
  const full = Number.isFinite(share) ? Math.max(1, Math.round(share * width)) : 0;
  return "▇".repeat(full).padEnd(width);
}

/** The last lines: how many bars were reached, which were not, what was not measured. */
export function summary(results: MeasuredCase[]): string {
  const bars = results.flatMap((one) => one.rows.flatMap((row) => barsOf(one, row)));
  const missed = bars.filter(({ ratio }) => !isReached(ratio));
  const unmeasured = results.flatMap((one) =>
    one.unmeasured.map(({ title, why }) => ({ name: one.name, title, why })),
  );
  const counts = bars.length === 0 ? [] : [`${bars.length - missed.length} of ${bars.length} bars reached`];
  if (unmeasured.length > 0) counts.push(`${unmeasured.length} not measured`);
  const paint = missed.length + unmeasured.length === 0 ? green : red;
  return [
    ...(counts.length === 0 ? [] : [paint(counts.join(", "))]),
    ...missed.map(({ name, title, ratio }) => `  ${red("✗")} ${name}  ${title}: ${ratioText(ratio)}`),
    ...unmeasured.map(({ name, title, why }) => `  ${red("✗")} ${name}  ${title}: not measured: ${why}`),
  ].join("\n");
}

function barsOf({ name }: MeasuredCase, { title, ratios }: Row) {
  return ratios.filter(({ reach }) => reach !== undefined).map((ratio) => ({ name, title, ratio }));
}
