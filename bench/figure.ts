// Figures and ratios as text, the same on the terminal and in Markdown.

import type { Figure, Ratio, Row } from "./case.js";

/** Three significant digits or so, and k or M in front of "/s". */
export function figureText({ value, unit }: Figure): string {
  if (unit === "/s") return rateText(value);
  return unit === "" ? digits(value) : `${digits(value)} ${unit}`;
}

function rateText(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(2)} M/s`;
  if (perSecond >= 1e4) return `${(perSecond / 1e3).toFixed(0)} k/s`;
  return `${perSecond.toFixed(0)} /s`;
}

export function digits(value: number): string {
  const magnitude = Math.abs(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return value.toFixed(magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : 2);
}

export function isReached({ value, reach }: Ratio): boolean {
  return reach !== undefined && value <= reach;
}

/** Three decimals where two would hide on which side of the bar it is: `1.303 × pooled > 1.3`, `resident 435 B > 400 B`. */
export function ratioText(ratio: Ratio): string {
  const { control, value, reach, unit } = ratio;
  if (reach === undefined) return `${value.toFixed(2)} × ${control}`;
  const sign = isReached(ratio) ? "≤" : ">";
  if (unit !== undefined)
    return `${control} ${figureText({ value, unit })} ${sign} ${figureText({ value: reach, unit })}`;
  const short = value.toFixed(2);
  const isSaid = Number(short) <= reach === value <= reach;
  return `${isSaid ? short : value.toFixed(3)} × ${control} ${sign} ${reach}`;
}

/** The figures that are shown beside the row's own, each with its name unless its unit says what it is. */
export function othersOf(row: Row): string[] {
  return Object.entries(row.others)
    .filter(([, { isQuiet }]) => isQuiet !== true)
    .map(([name, figure]) => (figure.unit === "/s" ? figureText(figure) : `${name} ${figureText(figure)}`));
}
