// The code of README.md as it stands there, so that tests can run it.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const README = fileURLToPath(new URL("../../../README.md", import.meta.url));

/** The block of code under a heading, whose last words are given, in that language. Throws when there is none. */
export function readmeCode(heading: string, language: string): string {
  const text = readFileSync(README, "utf8");
  const at = text.search(new RegExp(`^#+ .*${heading}$`, "m"));
  const block = at < 0 ? null : text.slice(at).match(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "m"));
  if (!block?.[1]) throw new Error(`README.md has no ${language} under "${heading}"`);
  return block[1];
}

/** The same code for an engine at `url`: it stands there with the address that an engine has by default. */
export function codeFor(code: string, url: string): string {
  return code.replace("ws://127.0.0.1:49134", url);
}
