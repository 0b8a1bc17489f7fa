// Which files the demo takes for documents, and what it reads in them.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "../../bench/demo/digest.js";
import { findDocuments, kindOf } from "../../bench/demo/documents.js";

test("kindOf() knows documents by their names", () => {
  const kinds = {
    "a/package.json": "package.json",
    "a/README.md": "README",
    "a/readme": "README",
    "a/LICENSE": "licence",
    "a/LICENCE.txt": "licence",
    "a/LICENSE-MIT": "licence",
    "a/NOTICE.txt": "licence",
    "a/COPYING": "licence",
    "a/my-package.json": undefined,
    "a/readmeter.js": undefined,
    "a/licenses.js": undefined,
    "README.md/index.js": undefined,
  };
  for (const [path, kind] of Object.entries(kinds)) assert.equal(kindOf(path), kind, path);
});

test("digestOf() counts words of every script, and bytes and hash in UTF-8", () => {
  assert.deepEqual(digestOf(""), { bytes: 0, words: 0, sha256: createHash("sha256").digest("hex") });
  assert.equal(digestOf("Grüße, 世界! one-two 3\n\tдва").words, 6);
  assert.equal(digestOf("é🙂").bytes, 6);
});

test("findDocuments() reads files byte for byte, in order, and binds each kind and everything", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tercet-documents-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "b", "nested"), { recursive: true });
  mkdirSync(join(folder, "README.md")); // a folder is no document
  writeFileSync(join(folder, "b", "package.json"), '{"a":"\\u00e9\\n"}\r\n');
  writeFileSync(join(folder, "b", "nested", "README"), "\ufeffbyte order mark");
  writeFileSync(join(folder, "LICENSE"), "");
  writeFileSync(join(folder, "b", "index.js"), "no document");
  const documents = findDocuments(folder);
  assert.deepEqual(
    documents.map(({ path, kind }) => [path, kind]),
    [
      ["LICENSE", "licence"],
      ["b/nested/README", "README"],
      ["b/package.json", "package.json"],
      ["all of package.json", "volume"],
      ["all of README", "volume"],
      ["all of licence", "volume"],
      ["everything", "volume"],
    ],
  );
  const [licence, readme, json] = documents;
  assert.equal(licence?.bytes, 0);
  assert.equal(readme?.bytes, 3 + "byte order mark".length);
  assert.equal(json?.text, '{"a":"\\u00e9\\n"}\r\n');
});
