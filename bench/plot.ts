// Line charts as SVG, for pages that people read: a title, two axes with round numbers, one line for each series.
//
// Written by hand because it is a page of code; a chart library would bring a hundred packages for it.

export interface Series {
  readonly name: string;
  /** [x, y], by growing x. */
  readonly points: readonly (readonly [number, number])[];
}

export interface Chart {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly series: readonly Series[];
}

const WIDTH = 820;
const HEIGHT = 360;
const LEFT = 70;
const RIGHT = 170;
const TOP = 46;
const BOTTOM = 46;
const TICKS = 6;
/** Distinguishable without colour vision as well (Okabe and Ito). */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/** The chart as a whole SVG document. Both axes begin at 0. */
export function lineChart({ title, x, y, series }: Chart): string {
  const points = series.flatMap((each) => each.points);
  const xScale = new Scale(Math.max(...points.map(([at]) => at), 1), LEFT, WIDTH - RIGHT);
  const yScale = new Scale(Math.max(...points.map(([, value]) => value), 1), HEIGHT - BOTTOM, TOP);
  const parts = [
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(LEFT, 24, title, "start", 15),
    ...xScale.ticks.map((value) => xTick(xScale.at(value), value)),
    ...yScale.ticks.map((value) => yTick(yScale.at(value), value)),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x, "middle"),
    text(LEFT, TOP - 8, y, "start"),
    ...series.flatMap((each, at) => drawn(each, at, xScale, yScale)),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" role="img" aria-label="${escaped(title)}">\n${parts.join("\n")}\n</svg>\n`;
}

/** From values, 0 to a round number that is not below the highest, to pixels. */
class Scale {
  readonly ticks: readonly number[];
  readonly #from: number;
  readonly #perUnit: number;

  constructor(highest: number, from: number, to: number) {
    const step = roundStep(highest / TICKS);
    const count = Math.ceil(highest / step - 1e-9);
    this.ticks = Array.from({ length: count + 1 }, (_, at) => at * step);
    this.#from = from;
    this.#perUnit = (to - from) / (count * step);
  }

  at(value: number): number {
    return Math.round((this.#from + value * this.#perUnit) * 10) / 10;
  }
}

/** The smallest of 1, 2, 2.5 and 5 times a power of ten that is not below `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return (
    [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((step) => step >= least * 0.999) ?? 10 * power
  );
}

function drawn({ name, points }: Series, at: number, xScale: Scale, yScale: Scale): string[] {
  const colour = COLOURS[at % COLOURS.length] ?? "#000000";
  const line = points.map(([x, y]) => `${xScale.at(x)},${yScale.at(y)}`).join(" ");
  const legendY = TOP + 10 + at * 20;
  return [
    `<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="1.6"/>`,
    `<line x1="${WIDTH - RIGHT + 14}" y1="${legendY - 4}" x2="${WIDTH - RIGHT + 34}" y2="${legendY - 4}" stroke="${colour}" stroke-width="3"/>`,
    text(WIDTH - RIGHT + 40, legendY, name, "start"),
  ];
}

function xTick(at: number, value: number): string {
  return `<line x1="${at}" y1="${TOP}" x2="${at}" y2="${HEIGHT - BOTTOM}" stroke="#eeeeee"/>${text(at, HEIGHT - BOTTOM + 16, label(value), "middle")}`;
}

function yTick(at: number, value: number): string {
  return `<line x1="${LEFT}" y1="${at}" x2="${WIDTH - RIGHT}" y2="${at}" stroke="#dddddd"/>${text(LEFT - 8, at + 4, label(value), "end")}`;
}

function label(value: number): string {
  return Number(value.toPrecision(6)).toLocaleString("en-US");
}

function text(x: number, y: number, content: string, anchor: string, size = 12): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}" fill="#222222">${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
