// Ids of functions that are no more.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FORMER_IDS_MAX } from "../../src/protocol/limits.js";
import { FormerIds } from "../../src/registry/former-ids.js";

test("keeps a copy, and forgets it when another with the same place goes", () => {
  const ids = new FormerIds();
  const bytes = Buffer.from("id-0");
  ids.add(1, bytes);
  bytes.write("lost");
  assert.equal(Buffer.from(ids.get(1) ?? []).toString(), "id-0");
  for (let handle = 2; handle <= FORMER_IDS_MAX; handle++) ids.add(handle, bytes);
  assert.ok(ids.get(1));
  ids.add(FORMER_IDS_MAX + 1, bytes); // the same place as 1
  assert.equal(ids.get(1), undefined);
  assert.ok(ids.get(2));
});
