// Reads what can be read of an envelope that is not JSON, so that a call whose frame is broken can still be ended with a coded error.
//
// Python's json module writes NaN and Infinity, which are not JSON; a payload can be cut or too deep. This walks over the top-level members, believing
// quotes and brackets only, and keeps the values as they are spelled. It is for frames the scanner has refused, nothing else.

/** The top-level members and their values as spelled, as far as the text can be followed. */
export function salvageEnvelope(text: string): Map<string, string> {
  const found = new Map<string, string>();
  let at = skipBlank(text, 0);
  if (text[at] !== "{") return found;
  at = skipBlank(text, at + 1);
  while (text[at] === '"') {
    const keyEnd = stringEnd(text, at);
    const colon = skipBlank(text, keyEnd);
    if (text[colon] !== ":") return found;
    const valueAt = skipBlank(text, colon + 1);
    const valueEnd = endOfValue(text, valueAt);
    keep(found, text.slice(at, keyEnd), text.slice(valueAt, valueEnd));
    const behind = skipBlank(text, valueEnd);
    if (text[behind] !== ",") return found;
    at = skipBlank(text, behind + 1);
  }
  return found;
}

/** The value of a member that is a sound JSON string. */
export function salvagedString(found: ReadonlyMap<string, string>, key: string): string | undefined {
  return soundString(found.get(key) ?? "");
}

function keep(found: Map<string, string>, key: string, value: string): void {
  const name = soundString(key);
  if (name !== undefined) found.set(name, value);
}

function soundString(text: string): string | undefined {
  if (!text.startsWith('"')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined; // a string with a fault of its own is not to be had
  }
}

function skipBlank(text: string, at: number): number {
  while (at < text.length && " \t\n\r".includes(text.charAt(at))) at++;
  return at;
}

/** Behind the closing quote of the string that begins at `at`, or the end of the text. */
function stringEnd(text: string, at: number): number {
  for (at++; at < text.length; at++) {
    const char = text[at];
    if (char === "\\") at++;
    else if (char === '"') return at + 1;
  }
  return text.length;
}

/** Where a value ends: at the comma or bracket that is not inside of it. */
function endOfValue(text: string, at: number): number {
  let depth = 0;
  while (at < text.length) {
    const char = text.charAt(at);
    if (char === '"') {
      at = stringEnd(text, at);
      if (depth === 0) return at;
      continue;
    }
    if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") {
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (char === "," && depth === 0) return at;
    at++;
  }
  return at;
}
