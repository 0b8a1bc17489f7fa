// Seeded random JSON texts for the fuzz tests: any whitespace, any spelling of a string, duplicates, deep and wide,
// with the envelope's keys and the caller's id strewn in; and mutations that make some of them wrong. The same seed
// gives the same texts.
import { EnvelopeKey, MessageType } from "../../src/protocol/json/scanner.js";

const KEYS = Object.keys(EnvelopeKey);
const TYPES = Object.keys(MessageType);
const CHARACTERS = [
  "a",
  "Z",
  "0",
  " ",
  "/",
  "é",
  "\u2028",
  "😀",
  "\ud800",
  '"',
  "\\",
  "\n",
  "\u0000",
  "\u001f",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "_",
];
const SPACES = ["", "", "", "", " ", "\n", "\t", "\r\n", "  ", "\n        ", " ".repeat(63), " ".repeat(130)];
const NUMBERS = ["0", "-0", "1", "12", "-3.25", "1e5", "1E-05", "0.1e+2", "9007199254740993", "1.0"];
const WRONG = [
  "01",
  "1.",
  ".5",
  "+1",
  "nul",
  "tru",
  "NaN",
  "{]",
  "[}",
  ",",
  ":",
  '"',
  "\\",
  "{,}",
  "[,]",
  '{"a"}',
  "\u0001",
  "\ufeff",
  "]",
  "}",
];

const LONE_SURROGATE = /^[\ud800-\udfff]$/;

export class RandomJson {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % below;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!; // below() stays inside
  }

  /** A frame as a worker could send it, and now and then something else. */
  frame(): string {
    if (this.below(20) === 0) return this.#spaced(this.value(4));
    const members: string[] = [];
    for (let n = this.below(8); n > 0; n--) members.push(this.#envelopeMember());
    return this.#spaced(`{${this.#list(members)}}`);
  }

  value(levels: number): string {
    const choice = this.below(levels > 0 ? 10 : 6);
    if (choice < 2) return this.string(this.#characters());
    if (choice < 4) return this.#number();
    if (choice < 6) return this.pick(["true", "false", "null"]);
    return choice < 8 ? this.#array(levels - 1) : this.#object(levels - 1);
  }

  /** `text` in one of its spellings. */
  string(text: string): string {
    const style = this.below(3);
    let spelled = "";
    for (const c of text) spelled += this.#character(c, style);
    return `"${spelled}"`;
  }

  /** One of: a byte changed, bytes cut out, bytes doubled, something wrong put in. */
  mutated(bytes: Buffer): Buffer {
    const at = this.below(bytes.length);
    const to = Math.min(bytes.length, at + 1 + this.below(this.below(4) === 0 ? 80 : 3));
    const before = bytes.subarray(0, at);
    switch (this.below(4)) {
      case 0:
        return Buffer.concat([before, Buffer.from([this.below(128)]), bytes.subarray(at + 1)]);
      case 1:
        return Buffer.concat([before, bytes.subarray(to)]);
      case 2:
        return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
      default:
        return Buffer.concat([before, Buffer.from(this.pick(WRONG)), bytes.subarray(at)]);
    }
  }

  #envelopeMember(): string {
    const choice = this.below(10);
    if (choice < 3) return this.#member("data", this.#object(3));
    if (choice === 3) return this.#member("type", this.string(this.pick(TYPES)));
    const key = choice === 4 ? this.#characters() : this.pick(KEYS);
    return this.#member(key, this.value(5));
  }

  #array(levels: number): string {
    const items: string[] = [];
    for (let n = this.below(6); n > 0; n--) items.push(this.value(levels));
    return `[${this.#list(items)}]`;
  }

  #object(levels: number): string {
    const members: string[] = [];
    for (let n = this.below(6); n > 0; n--) members.push(this.#member(this.#key(), this.value(levels)));
    return `{${this.#list(members)}}`;
  }

  #key(): string {
    const choice = this.below(8);
    if (choice === 0) return "_caller_worker_id";
    return choice === 1
      ? this.pick(["_caller", "_caller_worker_idx", "", "__proto__", "data"])
      : this.#characters();
  }

  #member(key: string, value: string): string {
    return `${this.#spaced(this.string(key))}:${this.#spaced(value)}`;
  }

  #list(items: readonly string[]): string {
    return items.length === 0 ? this.pick(SPACES) : items.map((item) => this.#spaced(item)).join(",");
  }

  #spaced(text: string): string {
    return this.pick(SPACES) + text + this.pick(SPACES);
  }

  #characters(): string {
    let text = "";
    for (let n = this.below(this.below(6) === 0 ? 150 : 12); n > 0; n--) text += this.pick(CHARACTERS);
    if (this.below(8) === 0) text += "plain ".repeat(this.below(60)); // what the scanner skips in whole blocks
    return text;
  }

  #character(c: string, style: number): string {
    if (style === 2 || (style === 1 && this.below(3) === 0) || LONE_SURROGATE.test(c)) {
      const escaped = Array.from(
        c.split(""),
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
      ).join("");
      return this.below(2) === 0 ? escaped : escaped.replace(/[a-f]/g, (digit) => digit.toUpperCase());
    }
    return c === "/" && style === 1 ? "\\/" : JSON.stringify(c).slice(1, -1);
  }

  #number(): string {
    if (this.below(4) > 0) return this.pick(NUMBERS);
    const digits = String(1 + this.below(9)).repeat(1 + this.below(this.below(5) === 0 ? 200 : 20));
    return this.pick(["", "-"]) + digits + this.pick(["", "", `.${digits}`, "e-7"]);
  }
}
