// What tests want to know of a valid JSON text and JSON.parse does not tell: depth, digits, and an object's members as
// they are spelled, duplicates included. Plain and slow on purpose: it is held against the scanner. Only for texts that
// JSON.parse accepts.

export interface Member {
  readonly key: string;
  /** The value's text, as it stands. */
  readonly value: string;
}

/** The deepest level of nesting; 0 for a scalar. */
export function levelsOf(text: string): number {
  let level = 0;
  let deepest = 0;
  for (const token of tokens(text)) {
    if (token === "{" || token === "[") deepest = Math.max(deepest, ++level);
    if (token === "}" || token === "]") level--;
  }
  return deepest;
}

/** The digits of the longest number without fraction and exponent; 0 if there is none. */
export function longestInteger(text: string): number {
  let longest = 0;
  for (const token of tokens(text)) {
    if (/^-?\d+$/.test(token)) longest = Math.max(longest, token.replace("-", "").length);
  }
  return longest;
}

/** The members of the object that `text` is, in order. */
export function membersOf(text: string): Member[] {
  const members: Member[] = [];
  let level = 0;
  let key: string | undefined;
  let value = "";
  for (const token of tokens(text)) {
    const closes = token === "}" || token === "]";
    if (closes) level--;
    if (level === 1 && token === "," && key !== undefined) {
      members.push({ key, value });
      key = undefined;
      value = "";
    } else if (level === 1 && key === undefined && token.startsWith('"')) key = JSON.parse(token);
    else if (level > 0 && !(level === 1 && token === ":")) value += token;
    if (token === "{" || token === "[") level++;
  }
  if (key !== undefined) members.push({ key, value });
  return members;
}

function tokens(text: string): string[] {
  return text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
}
