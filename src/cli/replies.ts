// Reading what the engine answered: each command expects a shape and says so when it finds another.

export type Row = Readonly<Record<string, unknown>>;

export function rowOf(value: unknown): Row {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new Error(
    `the engine answered ${JSON.stringify(value)} where an object was expected: is it of another version?`,
  );
}

/** The list under `key`. */
export function rowsOf(value: unknown, key: string): Row[] {
  const list = rowOf(value)[key];
  if (!Array.isArray(list))
    throw new Error(`the engine's answer has no list ${JSON.stringify(key)}: is it of another version?`);
  return list.map(rowOf);
}

export function text(row: Row, key: string, fallback = ""): string {
  const value = row[key];
  return value === null || value === undefined ? fallback : String(value);
}

export function number(row: Row, key: string): number {
  const value = row[key];
  return typeof value === "number" ? value : 0;
}
