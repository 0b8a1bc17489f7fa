// `${NAME}` and `${NAME:default}` in the scalar values of a parsed file.
//
// It works on parsed values, never on the raw text: a variable's content cannot add keys, and comments are not
// touched. A value written without quotes that contains a reference becomes a number or truth value when its text is one,
// so `port: ${PORT}` is a number. Keys are never expanded. A set variable wins even when it is empty.
import type { YamlNode } from "./yaml.js";

/** The default that stands for this engine's version, as in the files of the reference. */
const VERSION_DEFAULT = "__III_ENGINE_VERSION__";

export interface Environment {
  readonly [name: string]: string | undefined;
}

export interface MissingVariable {
  readonly name: string;
  /** Position of the scalar, and of the reference within its value. */
  readonly node: YamlNode;
  readonly index: number;
  readonly length: number;
}

/** Replaces references in every scalar below `root`, in place, and returns all names that are not set. */
export function expandVariables(root: YamlNode, env: Environment, version: string): MissingVariable[] {
  const missing: MissingVariable[] = [];
  const seen = new Set<YamlNode>(); // an anchor is reached from several places and must be expanded once
  const walk = (node: YamlNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (typeof node.value === "string") expandScalar(node, node.value, env, version, missing);
    for (const item of node.items) walk(item);
    for (const entry of node.entries.values()) walk(entry.node);
  };
  walk(root);
  return missing;
}

function expandScalar(
  node: YamlNode,
  text: string,
  env: Environment,
  version: string,
  missing: MissingVariable[],
): void {
  if (!text.includes("${")) return;
  const expanded = text.replace(
    REFERENCE,
    (whole: string, name: string, fallback: string | undefined, at: number) => {
      const value = env[name];
      if (value !== undefined) return value;
      if (fallback === VERSION_DEFAULT) return version;
      if (fallback !== undefined) return fallback;
      missing.push({ name, node, index: at, length: whole.length });
      return "";
    },
  );
  node.isExpanded = true;
  setExpanded(node, expanded, LONE.test(text));
}

// The name runs to the first `:` or `}`, the default to the next `}`; no nesting and no escape.
const REFERENCE = /\$\{([^:}]+)(?::([^}]*))?\}/g;

const LONE = /^\$\{[^}]*\}$/;

/** Text, or what a plain scalar of that text would be; the reader of the file takes the other one where only that fits. */
function setExpanded(node: YamlNode, text: string, isLone: boolean): void {
  const typed = resolvePlain(text);
  const isTyped = node.isPlain && typed !== undefined;
  node.value = isTyped ? typed : text;
  if (isTyped) node.alternative = text;
  else if (isLone && typed !== undefined) node.alternative = typed;
}

/** The number or truth value that is written exactly so; `007`, `1e5` and digits beyond what a number holds stay text. */
function resolvePlain(text: string): number | boolean | undefined {
  if (text === "true" || text === "false") return text === "true";
  const number = text.trim() === text && text !== "" ? Number(text) : Number.NaN;
  return String(number) === text && Number.isFinite(number) ? number : undefined;
}
