// Reading the resident memory, also without a descriptor to read it with.
import assert from "node:assert/strict";
import { test } from "node:test";
import { residentBytes } from "../../src/operations/resident-memory.js";

test("without descriptors it is what was read last; any other trouble is told", () => {
  const bytes = residentBytes();
  assert.ok(bytes > 1 << 20);
  for (const code of ["EMFILE", "ENFILE"])
    assert.equal(
      residentBytes(() => {
        throw Object.assign(new Error("too many open files"), { code });
      }),
      bytes,
    );
  assert.throws(
    () =>
      residentBytes(() => {
        throw new Error("another");
      }),
    /another/,
  );
});
