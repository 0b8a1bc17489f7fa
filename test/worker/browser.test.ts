// The browser's half: what the entry imports, and the standard WebSocket in place of Node's.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { WebSocket as NodeWebSocket } from "ws";
import { workerOptions } from "../../src/worker/connect.js";
import { openSocket } from "../../src/worker/socket-browser.js";
import { Worker } from "../../src/worker/worker.js";
import { until } from "../support/eventually.js";
import { engineFor } from "./support.js";

const ENTRY = fileURLToPath(new URL("../../src/worker/index.js", import.meta.url));
const STATIC_IMPORT = /^\s*(?:import|export)\s[^;]*?from\s*"([^"]+)"|^\s*import\s*"([^"]+)"/gm;

/** Every module that is loaded with `entry`, and every package they name. */
function staticImports(entry: string): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const follow = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    for (const [, from, bare] of readFileSync(file, "utf8").matchAll(STATIC_IMPORT)) {
      const specifier = from ?? bare ?? "";
      if (specifier.startsWith(".")) follow(resolve(dirname(file), specifier));
      else packages.add(specifier);
    }
  };
  follow(entry);
  return { files, packages };
}

test("the entry loads no package, nothing of Node, and not the socket that needs them", () => {
  const { files, packages } = staticImports(ENTRY);
  assert.deepEqual([...packages], []);
  assert.ok([...files].every((file) => existsSync(file) && dirname(file) === dirname(ENTRY)));
  assert.ok(files.size > 15, `${files.size} files were followed`);
  assert.ok(![...files].some((file) => file.endsWith("socket-node.js")));
  const browser = staticImports(resolve(dirname(ENTRY), "socket-browser.js"));
  assert.deepEqual([...browser.packages], []);
});

test("a worker on the standard WebSocket calls, is cut off, comes back and closes", async (t) => {
  // Node 20 has none; the `ws` package's class has the same interface.
  const target = globalThis as { WebSocket?: unknown };
  if (target.WebSocket === undefined) {
    target.WebSocket = NodeWebSocket;
    t.after(() => {
      delete target.WebSocket;
    });
  }
  const engine = await engineFor(t);
  const options = workerOptions({ url: engine.url, reconnect: { baseMs: 1, capMs: 5 }, onEvent: () => {} });
  const worker = new Worker(openSocket, options);
  await worker.open();
  await worker.register("echo", (data) => data).ready();
  const data = { text: "häuser 🙂", list: [1, 2.5, -3, 2 ** 45], bytes: new Uint8Array([1, 2, 3]) };
  assert.deepEqual(await worker.call("echo", data), data);
  engine.cut();
  await until(() => engine.peers.length === 2 && worker.state === "connected");
  assert.deepEqual(await worker.call("echo", data), data);
  await worker.close();
  assert.equal(worker.state, "closed");
});
