// Rows for people: columns as wide as their longest cell, and times as one would say them.

/** Text without the control characters that a name from elsewhere may carry to steer the terminal. */
export function plain(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows.map((row) => row.map(plain))];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? "").length)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

/** "3s", "4m", "2h", "5d". */
export function age(sinceMs: number, nowMs = Date.now()): string {
  const seconds = Math.max(0, Math.floor((nowMs - sinceMs) / 1000));
  for (const [unit, size] of [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
  ] as const) {
    if (seconds >= size) return `${Math.floor(seconds / size)}${unit}`;
  }
  return `${seconds}s`;
}

export function bytes(count: number): string {
  return count >= 1 << 20 ? `${Math.round(count / (1 << 20))} MiB` : `${Math.round(count / 1024)} KiB`;
}
