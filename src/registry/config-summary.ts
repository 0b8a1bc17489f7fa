// `config_summary` of a listing: a configuration as compact JSON with sorted keys, cut after 80 characters.
//
// Works on the text, so that numbers stay as they were spelled. The text is known to be JSON of a bounded depth.

import { byBytes } from "./function-rows.js";

const SUMMARY_CHARS_MAX = 80; // the reference's

export function configSummary(json: string): string {
  const chars = Array.from(sorted(json));
  return chars.length <= SUMMARY_CHARS_MAX
    ? chars.join("")
    : `${chars.slice(0, SUMMARY_CHARS_MAX).join("")}…`;
}

/** The same value without blanks, the keys of every object in byte order. */
export function sorted(json: string): string {
  return new SortedText(json).value();
}

class SortedText {
  readonly #json: string;
  #at = 0;

  constructor(json: string) {
    this.#json = json;
  }

  value(): string {
    this.#skipBlank();
    const char = this.#json.charAt(this.#at);
    if (char === "{") return this.#object();
    if (char === "[") return this.#array();
    return char === '"' ? this.#string() : this.#scalar();
  }

  #object(): string {
    const members: { key: string; value: string }[] = [];
    this.#at++;
    while (!this.#ends("}")) {
      const key = this.#string();
      this.#skipBlank();
      this.#at++; // the colon
      members.push({ key, value: this.value() });
    }
    members.sort((a, b) => byBytes(keyOf(a.key), keyOf(b.key)));
    return `{${members.map(({ key, value }) => `${key}:${value}`).join(",")}}`;
  }

  #array(): string {
    const elements: string[] = [];
    this.#at++;
    while (!this.#ends("]")) elements.push(this.value());
    return `[${elements.join(",")}]`;
  }

  /** Passes a comma, or the closing bracket. */
  #ends(bracket: string): boolean {
    this.#skipBlank();
    if (this.#json.charAt(this.#at) === ",") this.#at++;
    this.#skipBlank();
    if (this.#json.charAt(this.#at) !== bracket) return false;
    this.#at++;
    return true;
  }

  #string(): string {
    const start = this.#at++;
    while (this.#json.charAt(this.#at) !== '"') this.#at += this.#json.charAt(this.#at) === "\\" ? 2 : 1;
    this.#at++;
    return this.#json.slice(start, this.#at);
  }

  #scalar(): string {
    const start = this.#at;
    while (this.#at < this.#json.length && !",]} \t\n\r".includes(this.#json.charAt(this.#at))) this.#at++;
    return this.#json.slice(start, this.#at);
  }

  #skipBlank(): void {
    while (this.#at < this.#json.length && " \t\n\r".includes(this.#json.charAt(this.#at))) this.#at++;
  }
}

function keyOf(spelled: string): string {
  const key: unknown = JSON.parse(spelled);
  return typeof key === "string" ? key : spelled;
}
