// Codes: each has its own heading in PROTOCOL.md, and the page names no code that does not exist.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CloseCode, CodedError, ErrorCode } from "../../src/protocol/error.js";

const page = readFileSync("src/protocol/PROTOCOL.md", "utf8");
const headings = [...page.matchAll(/^### (.+)$/gm)]
  .flatMap(([, heading = ""]) => heading.split(", "))
  .filter((heading) => /^[a-z_]+$|^[A-Z_]+$/.test(heading));

test("every code has its heading in PROTOCOL.md", () => {
  for (const code of Object.values(ErrorCode)) assert.ok(headings.includes(code), code);
});

test("every heading of a code is a code", () => {
  const codes: readonly string[] = Object.values(ErrorCode);
  const errorCodes = headings.slice(headings.indexOf("function_not_found"));
  for (const heading of errorCodes) assert.ok(codes.includes(heading), heading);
});

test("every close code that a msgpack worker can get stands in the table, and none is one that an SDK takes as final", () => {
  for (const [name, code] of Object.entries<number>(CloseCode)) {
    assert.ok(code !== 1000 && code !== 1001, name);
    if (name !== "HeldTooMuch") assert.match(page, new RegExp(`^\\| ${code} +\\|`, "m"), `${name} ${code}`);
  }
});

test("a CodedError carries its code beside its sentence", () => {
  const error = new CodedError(ErrorCode.NotFound, "no such thing");
  assert.deepEqual([error.code, error.message, error.name], ["NOT_FOUND", "no such thing", "CodedError"]);
});
