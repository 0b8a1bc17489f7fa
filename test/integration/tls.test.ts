// TLS end to end: the engine as a process with TLS in its configuration; the declared worker, the official SDK, our SDK and the commands come over wss://.
import assert from "node:assert/strict";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect } from "../../src/worker/index.js";
import { certificates, withoutOpenssl } from "../support/certificates.js";
import { startChild } from "../support/child.js";
import { eventually } from "../support/eventually.js";
import { runTercet, tercet, WORKER_SDK } from "../support/tercet.js";

const VICTIM = fileURLToPath(new URL("../sdk/npm-victim.js", import.meta.url));

test("a whole engine on wss:// alone: declared worker, official SDK, worker SDK, commands, a renewal on SIGHUP", {
  timeout: 60_000,
  skip: withoutOpenssl,
}, async (t) => {
  const made = certificates(t);
  const { certFile: caFile, cert: ca } = made.authority("authority");
  const server = made.signed("authority", "server");
  const { certFile } = made.signed("authority", "successor");
  const engine = tercet(t);
  writeFileSync(
    join(engine.directory, "declared.mjs"),
    `import { connect } from ${JSON.stringify(WORKER_SDK)};
const worker = await connect();
worker.register("declared::url", () => process.env.III_URL);
`,
  );
  engine.spawn(`server:
  port: 0
  tls: { cert: ${server.certFile}, key: ${server.keyFile} }
workers:
  - name: declared
    command: [node, declared.mjs]
    env: { NODE_EXTRA_CA_CERTS: ${caFile}, TERCET_TEST_WORKER: ${engine.directory} }
`);
  const url = await engine.url();
  assert.match(url, /^wss:\/\/127\.0\.0\.1:\d+$/);
  await engine.entered("declared", "ready");

  startChild(t, [process.execPath, VICTIM], {
    env: { III_URL: url, III_WORKER_NAME: "victim", NODE_EXTRA_CA_CERTS: caFile },
  });
  const worker = await connect({ url, tls: { ca }, reconnect: false });
  assert.equal(await worker.call("declared::url", {}), url);
  await eventually("the official SDK serves", () =>
    worker.call("victim::echo", { over: "tls" }).then(
      (answer) => (answer as { over: string }).over === "tls", // the echo of what was sent
      () => false,
    ),
  );

  const call = (...options: string[]) =>
    runTercet(["call", "declared::url", "--json", "-u", url, ...options]);
  assert.deepEqual(await call("--ca", caFile), { code: 0, out: `${JSON.stringify(url)}\n`, err: "" });
  const distrusted = await call();
  assert.equal(distrusted.code, 1);
  assert.match(distrusted.err, /Cannot connect to wss:.*certificate.*\(connect_failed\)/);
  const absent = await call("--ca", "/nowhere.pem");
  assert.deepEqual([absent.code, /\/nowhere\.pem cannot be read/.test(absent.err)], [2, true]);

  copyFileSync(made.file("successor.key"), server.keyFile);
  copyFileSync(certFile, server.certFile);
  engine.signal("SIGHUP");
  const renewed = await engine.logged((line) => line.msg.startsWith("certificate renewed"));
  assert.match(String(renewed["subject"]), /CN=successor/);
  const status = await runTercet(["status", "-u", url, "--ca", caFile]);
  assert.match(status.out, /\(TLS\)/);
  assert.match(status.out, /tls +port \d+: O=Acme, CN=successor, until 20/);
  assert.deepEqual(await worker.call("victim::echo", 2), 2, "the old connection goes on");
  await worker.close();
});

test("validate says what it means to bind every interface in plain text", { timeout: 30_000 }, async (t) => {
  const engine = tercet(t);
  engine.write("server: { host: 0.0.0.0, port: 0 }\n");
  const validated = await runTercet(["validate", engine.file]);
  assert.equal(validated.code, 0);
  assert.match(
    validated.out + validated.err,
    /binds 0\.0\.0\.0:0 without TLS and without tokens: whoever reaches it can call and replace every function/,
  );
});

test("a wrong file in the configuration ends the start with its place", {
  skip: withoutOpenssl,
}, async (t) => {
  const engine = tercet(t);
  engine.write("server:\n  tls:\n    cert: absent.pem\n    key: absent.key\n");
  const { code, err } = await runTercet(["--config", engine.file]);
  assert.equal(code, 1);
  assert.match(err, /config\.yaml:3:11: .*absent\.pem cannot be read: ENOENT/);
  assert.match(err, /3 \| {5}cert: absent\.pem\n.*\^+\n/);
});
