// Globs as people write them for files to watch: `*`, `**`, `?`, `[a-z]`, `{ts,js}`. Paths have `/` and are relative.

/** A function that says whether a path matches one of the globs. */
export function matcher(globs: readonly string[]): (path: string) => boolean {
  const expressions = globs.flatMap(braces).map((glob) => new RegExp(`^${expressionOf(glob)}$`));
  return (path) => expressions.some((expression) => expression.test(path));
}

/** `a.{ts,js}` as `a.ts` and `a.js`; groups do not nest. */
function braces(glob: string): string[] {
  const match = /\{([^{}]*)\}/.exec(glob);
  if (match === null) return [glob];
  const before = glob.slice(0, match.index);
  const after = glob.slice(match.index + match[0].length);
  return (match[1] ?? "").split(",").flatMap((choice) => braces(`${before}${choice}${after}`));
}

function expressionOf(glob: string): string {
  const plain = glob.replace(/^\.\//, "");
  return plain.replace(
    /\*\*\/|\*\*|\*|\?|\[[^\]]*\]|[\\^$.|+()]/g,
    (token) => TOKENS[token] ?? (token.startsWith("[") ? token : `\\${token}`),
  );
}

const TOKENS: Readonly<Record<string, string>> = { "**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]" };

/** The directory below which every match of the glob lies: what stands before the first wildcard. */
export function rootOf(glob: string): string {
  const fixed = glob.replace(/^\.\//, "").split("/");
  const first = fixed.findIndex((part) => /[*?[{]/.test(part));
  const directories = first === -1 ? fixed.slice(0, -1) : fixed.slice(0, first);
  return directories.join("/") || ".";
}
