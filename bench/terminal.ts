// Colours and widths of the terminal that the bench writes to; on anything else neither.

/** What a line may hold where nobody says how wide the window is: a log, a pipe. */
const WIDE = 200;

/** Narrower than this no table is laid out for: it wraps. */
const NARROWEST = 60;

const isColoured = process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined;
const paint = (code: number) => (text: string) => (isColoured ? `\x1b[${code}m${text}\x1b[0m` : text);

export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const cyan = paint(36);

export function columns(stream: { columns?: number } = process.stdout): number {
  return Math.max(NARROWEST, stream.columns ?? WIDE);
}

/** Minutes and seconds: `13:20`. */
export function clockTime(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
