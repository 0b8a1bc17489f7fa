// The only door to the `yaml` package: text in, a tree of nodes with offsets out.
//
// The tree keeps where every key and value stands, so that whoever judges a value later can point at it.
// Anchors are resolved by sharing nodes; the size they would unfold to is counted before anybody walks
// the tree, so a few lines can never grow into a large configuration. Values are judged elsewhere.
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseDocument, stringify } from "yaml";

export const NODES_MAX = 50_000; // far beyond any hand-written file; a guard against anchors that multiply
export const DEPTH_MAX = 64; // the schema is six levels deep; `config:` blocks of workers may go deeper

const TOO_DEEP = "nested too deeply to be read";

export interface YamlEntry {
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly node: YamlNode;
}

/** A value and where it stands: offsets in UTF-16 units from the start of the text. */
export interface YamlNode {
  readonly kind: "map" | "list" | "scalar";
  readonly start: number;
  readonly end: number;
  /** Of a scalar: its value. Otherwise null. */
  value: string | number | boolean | bigint | null;
  /** Of a scalar: its value came from the environment, and is not to be shown. */
  isExpanded: boolean;
  /** Of an expanded scalar: the other reading of its text, where there is one. */
  alternative: string | number | boolean | undefined;
  /** Of a scalar: whether it was written without quotes, so that an expanded text may become a number. */
  readonly isPlain: boolean;
  readonly entries: ReadonlyMap<string, YamlEntry>;
  readonly items: readonly YamlNode[];
}

export interface YamlFault {
  readonly message: string;
  readonly hint?: string;
  readonly start: number;
  readonly end: number;
}

export interface YamlText {
  /** Undefined when the text holds nothing but comments, or cannot be read at all. */
  readonly root: YamlNode | undefined;
  readonly faults: readonly YamlFault[];
}

/** Reads one YAML document. Never throws: what is wrong stands in `faults`, all of it. */
export function readYaml(text: string): YamlText {
  const faults: YamlFault[] = [];
  try {
    const document = parseDocument(text, {
      prettyErrors: false,
      uniqueKeys: true,
      stringKeys: false,
      merge: false,
    });
    for (const problem of [...document.errors, ...document.warnings]) faults.push(faultOf(problem, text));
    if (faults.length > 0 || document.contents === null) return { root: undefined, faults };
    const root = new TreeBuilder(document, faults).build(document.contents, 0);
    if (faults.length === 0) refuseUnfolding(root, faults);
    return { root: faults.length > 0 ? undefined : root, faults };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // very deep nesting exhausts the stack
    return { root: undefined, faults: [{ message: TOO_DEEP, start: 0, end: 1 }] };
  }
}

function faultOf(problem: { code: string; message: string; pos: [number, number] }, text: string): YamlFault {
  const [start, end] = problem.pos;
  const hint = hintFor(problem.code, text, start);
  const message = WORDING[problem.code] ?? problem.message;
  return { message, start, end, ...(hint === undefined ? {} : { hint }) };
}

const WORDING: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: "this key stands here a second time",
  TAB_AS_INDENT: "a tab is used as indentation",
  MULTIPLE_DOCS: "a second document begins here",
  RESOURCE_EXHAUSTION: TOO_DEEP, // the parser recurses
};

function hintFor(code: string, text: string, at: number): string | undefined {
  if (code === "DUPLICATE_KEY") return "keep one of the two";
  if (code === "TAB_AS_INDENT") return "indent with spaces";
  if (code === "MULTIPLE_DOCS") return "one file holds one document: remove the line with ---";
  const lineStart = text.lastIndexOf("\n", at - 1) + 1;
  const inFlow = /[[{,]\s*\$\{/.test(text.slice(lineStart, at + 2));
  return inFlow ? 'inside [ ] and { } a reference needs quotes: "${NAME}"' : undefined;
}

class TreeBuilder {
  readonly #document: Document;
  readonly #faults: YamlFault[];
  readonly #built = new Map<Node, YamlNode>();
  readonly #open = new Set<Node>();

  constructor(document: Document, faults: YamlFault[]) {
    this.#document = document;
    this.#faults = faults;
  }

  build(node: Node, depth: number): YamlNode {
    const [start, end] = spanOf(node);
    if (depth > DEPTH_MAX) return this.#refuse(`nested deeper than ${DEPTH_MAX} levels`, start, end);
    if (isAlias(node)) return this.#alias(node, depth);
    const known = this.#built.get(node);
    if (known !== undefined) return known;
    this.#open.add(node);
    const built = this.#fresh(node, start, end, depth);
    this.#open.delete(node);
    this.#built.set(node, built);
    return built;
  }

  #alias(node: Node & { resolve(document: Document): Node | undefined }, depth: number): YamlNode {
    const [start, end] = spanOf(node);
    const target = node.resolve(this.#document);
    if (target === undefined) return this.#refuse("this alias has no anchor", start, end);
    if (this.#open.has(target)) return this.#refuse("this alias contains itself", start, end);
    return this.build(target, depth);
  }

  #fresh(node: Node, start: number, end: number, depth: number): YamlNode {
    if (isMap(node)) return { ...blank("map", start, end), entries: this.#entries(node.items, depth) };
    if (isSeq(node)) {
      const items = node.items.map((item) => this.#child(item, start, depth));
      return { ...blank("list", start, end), items };
    }
    if (isScalar(node)) return scalarNode(node, start, end);
    return this.#refuse("this is neither a value, a list nor a mapping", start, end);
  }

  #entries(pairs: readonly { key: unknown; value: unknown }[], depth: number): Map<string, YamlEntry> {
    const entries = new Map<string, YamlEntry>();
    for (const { key, value } of pairs) {
      if (!isScalar(key)) {
        this.#refuse("a key must be a plain word", 0, 1);
        continue;
      }
      const [keyStart, keyEnd] = spanOf(key);
      entries.set(String(key.value), { keyStart, keyEnd, node: this.#child(value, keyEnd, depth) });
    }
    return entries;
  }

  /** A key without a value has no node of its own: it stands for null, right behind the key. */
  #child(value: unknown, fallback: number, depth: number): YamlNode {
    if (value === null || value === undefined) return blank("scalar", fallback, fallback + 1);
    // parseDocument builds only nodes below nodes; plain values appear in documents made by hand alone.
    return this.build(value as Node, depth + 1);
  }

  #refuse(message: string, start: number, end: number): YamlNode {
    this.#faults.push({ message, start, end });
    return blank("scalar", start, end);
  }
}

function scalarNode(node: { value: unknown; type?: string }, start: number, end: number): YamlNode {
  const value = node.value;
  const isKnown = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  const kept = isKnown || typeof value === "bigint" ? value : null;
  return { ...blank("scalar", start, end), value: kept, isPlain: node.type === "PLAIN" };
}

function blank(kind: YamlNode["kind"], start: number, end: number): YamlNode {
  return {
    kind,
    start,
    end,
    value: null,
    isExpanded: false,
    alternative: undefined,
    isPlain: true,
    entries: new Map(),
    items: [],
  };
}

function spanOf(node: { range?: readonly [number, number, number] | null }): [number, number] {
  const range = node.range;
  return range ? [range[0], Math.max(range[1], range[0] + 1)] : [0, 1];
}

/** Adds a fault when the tree, with every alias written out, has more than NODES_MAX nodes. */
function refuseUnfolding(root: YamlNode, faults: YamlFault[]): void {
  const sizes = new Map<YamlNode, number>();
  const sizeOf = (node: YamlNode): number => {
    const known = sizes.get(node);
    if (known !== undefined) return known;
    let size = 1;
    for (const item of node.items) size += sizeOf(item);
    for (const entry of node.entries.values()) size += sizeOf(entry.node);
    sizes.set(node, size);
    return size;
  };
  if (sizeOf(root) > NODES_MAX) {
    faults.push({
      message: `unfolds to more than ${NODES_MAX} values`,
      hint: "an alias counts as all that its anchor holds: use fewer",
      start: root.start,
      end: root.start + 1,
    });
  }
}

/** Plain values as YAML text. */
export function writeYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0 });
}
