// From a path in the configuration to a place in the file: how findings become problems with line and column.
//
// What would be right is taken from the schema itself: the sentence of the key that was misused, or the known key nearest to
// one that does not exist.
import type { Path, Reporter } from "./entries.js";
import { nearest } from "./nearest.js";
import type { ConfigProblem, ProblemWriter } from "./problem.js";
import { configJsonSchema, type JsonSchema } from "./schema.js";
import type { YamlNode } from "./yaml.js";

/** Findings by path become problems by position. */
export class PathReporter implements Reporter {
  readonly warnings: ConfigProblem[] = [];
  readonly #root: YamlNode;
  readonly #writer: ProblemWriter;

  readonly #unset: ReadonlySet<YamlNode>;

  /** `unset`: values whose variables are missing. Their problem is told already; what the schema says of them is noise. */
  constructor(root: YamlNode, writer: ProblemWriter, unset: ReadonlySet<YamlNode> = new Set()) {
    this.#root = root;
    this.#writer = writer;
    this.#unset = unset;
  }

  problem(path: Path, message: string, hint?: string): void {
    const { start, end } = this.#span(path);
    this.#writer.at(start, end, message, hint);
  }

  warning(path: Path, message: string): void {
    const { start, end } = this.#span(path);
    this.warnings.push(this.#writer.describe(start, end, message));
  }

  schemaIssue(issue: { path: Path; message: string; unknownKey?: string; isMissing?: boolean }): void {
    const node = nodeAt(this.#root, issue.path);
    if (node !== undefined && this.#unset.has(node)) return;
    const schema = schemaAt(
      configJsonSchema(),
      issue.unknownKey === undefined ? issue.path : issue.path.slice(0, -1),
    );
    if (issue.unknownKey !== undefined) {
      this.#unknownKey(issue.path, issue.message, issue.unknownKey, schema);
      return;
    }
    const said = node?.isExpanded
      ? issue.message.replace(/, found .*$/s, ", found something else in its variable")
      : issue.message;
    const missing = issue.isMissing ? `the key ${JSON.stringify(issue.path.at(-1))} is missing` : said;
    const label = issue.isMissing ? "" : `${issue.path.map(String).join(".") || "the file"}: `;
    this.problem(issue.path, `${label}${missing}`, schema?.description);
  }

  #unknownKey(path: Path, message: string, key: string, schema: JsonSchema | undefined): void {
    const known = keysOf(schema);
    const near = nearest(key, known);
    const hint =
      near === undefined ? `known here: ${known.join(", ")}` : `did you mean ${JSON.stringify(near)}?`;
    const { start, end } = this.#keySpan(path);
    this.#writer.at(start, end, message, hint);
  }

  /** Whether a variable that is not set stands there, alone or in a list: its problem is written. */
  isUnset(path: Path): boolean {
    const node = nodeAt(this.#root, path);
    return node !== undefined && [node, ...node.items].some((each) => this.#unset.has(each));
  }

  has(path: Path): boolean {
    return nodeAt(this.#root, path) !== undefined;
  }

  /** The nth entry of a name with its #n taken off; [] for a listener that is no entry. */
  pathOfEntry(unique: string): Path {
    const [name, nth = "0"] = unique.split("#");
    let left = Number(nth);
    for (const list of ["workers", "modules"]) {
      for (const [index, item] of (nodeAt(this.#root, [list])?.items ?? []).entries()) {
        if (item.entries.get("name")?.node.value === name && left-- === 0) return [list, index];
      }
    }
    return ["server"];
  }

  /** The value, or the deepest part of the path that exists. */
  #span(path: Path): { start: number; end: number } {
    for (let length = path.length; length >= 0; length--) {
      const node = nodeAt(this.#root, path.slice(0, length));
      if (node !== undefined)
        return { start: node.start, end: node.kind === "scalar" ? node.end : node.start + 1 };
    }
    return { start: 0, end: 1 };
  }

  #keySpan(path: Path): { start: number; end: number } {
    const key = nodeAt(this.#root, path.slice(0, -1))?.entries.get(String(path.at(-1)));
    return key === undefined ? this.#span(path) : { start: key.keyStart, end: key.keyEnd };
  }
}

/** The node a path leads to. */
export function nodeAt(root: YamlNode, path: Path): YamlNode | undefined {
  let node: YamlNode | undefined = root;
  for (const step of path)
    node = typeof step === "number" ? node?.items[step] : node?.entries.get(step)?.node;
  return node;
}

/** The part of the schema that `path` leads to, through lists, mappings and alternatives. */
function schemaAt(schema: JsonSchema, path: Path): JsonSchema | undefined {
  const [step, ...rest] = path;
  if (step === undefined) return schema;
  for (const branch of [schema, ...(schema.anyOf ?? [])]) {
    const free = typeof branch.additionalProperties === "object" ? branch.additionalProperties : undefined;
    const next = typeof step === "number" ? branch.items : (branch.properties?.[step] ?? free);
    const found = next === undefined ? undefined : schemaAt(next, rest);
    if (found !== undefined) return found;
  }
  return undefined;
}

function keysOf(schema: JsonSchema | undefined): string[] {
  return [schema, ...(schema?.anyOf ?? [])].flatMap((branch) => Object.keys(branch?.properties ?? {}));
}
