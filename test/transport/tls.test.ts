// TLS on a listener, over real sockets: who gets in with which certificate, over which protocol version, and what becomes of files that change while it runs.
import assert from "node:assert/strict";
import { copyFileSync, renameSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { WebSocket } from "ws";
import type { Engine } from "../../src/engine.js";
import { createLogger, type Logger } from "../../src/log.js";
import { CertificateError, type TlsOptions } from "../../src/transport/certificates.js";
import { connect as connectWorker } from "../../src/worker/index.js";
import { type Certificates, certificates, withoutOpenssl } from "../support/certificates.js";
import { type ChannelRefs, channelUrl } from "../support/channel-peer.js";
import { eventually } from "../support/eventually.js";
import { JsonPeer } from "../support/json-peer.js";
import { runEngine } from "../support/running-engine.js";
import { testEngine } from "../support/test-engine.js";
import { rawRequest, upgradeHead } from "./raw-request.js";

const REQUEST = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";

/** The common name of the certificate that a new connection is shown. */
function shown(port: number, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: "127.0.0.1", ca }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

function listenTls({ engine }: { engine: Engine }, tls: TlsOptions): number {
  return engine.listen({ host: "127.0.0.1", port: 0, tls }).port;
}

/** Collects every line. */
function collecting(lines: string[]): Logger {
  return createLogger({ level: "info", format: "json", destination: { write: (line) => lines.push(line) } });
}

function serverFiles(made: Certificates): TlsOptions & { ca: string } {
  const ca = made.authority("authority").cert;
  const { certFile, keyFile } = made.signed("authority", "first");
  return { certFile, keyFile, ca };
}

test("workers of both wires come over wss:// and call each other; a client that does not know the authority goes away", {
  skip: withoutOpenssl,
}, async (t) => {
  const rig = await runEngine(t);
  const made = certificates(t);
  const { ca, ...tls } = serverFiles(made);
  const port = listenTls(rig, tls);
  const url = `wss://127.0.0.1:${port}`;
  const worker = await connectWorker({ url, tls: { ca }, name: "over-tls", reconnect: false });
  t.after(() => worker.close());
  await worker.register("tls::double", (data: number) => 2 * data).ready();
  const peer = new JsonPeer(`${url}/`, [], {}, ca);
  await peer.greeted();
  peer.announce({});
  assert.equal((await peer.call("tls::double", 21)).result, 42);
  await assert.rejects(shown(port, made.authority("stranger").cert), /certificate/);
  assert.equal((await rawRequest(port, REQUEST, { ca })).status, 200);
});

test("a required client certificate: without one 403 everywhere, with a foreign one no handshake, with a good one in", {
  skip: withoutOpenssl,
}, async (t) => {
  const rig = await testEngine(t);
  const made = certificates(t);
  const { ca, ...tls } = serverFiles(made);
  const { certFile: caFile } = made.authority("clients");
  const port = listenTls(rig, { ...tls, caFile });
  const good = made.signed("clients", "worker-1");
  const foreign = made.signed("authority", "worker-1"); // of an authority, but not of this one
  const expired = made.signed("clients", "worker-2", -1);
  const status = async (bytes: string, pair?: { cert: string; key: string }): Promise<number> =>
    (await rawRequest(port, bytes, { ca, ...(pair === undefined ? {} : { cert: pair.cert, key: pair.key }) }))
      .status;
  const paths = ["/", "/otel", "/ws/channels/none?key=k&dir=read"];
  for (const bytes of [REQUEST, ...paths.map((path) => upgradeHead(path))]) {
    assert.equal(await status(bytes), 403);
    assert.equal(await status(bytes, foreign), 0);
    assert.equal(await status(bytes, expired), 0);
  }
  assert.equal(rig.counter("certificates_missing"), 4);
  assert.equal(await status(REQUEST, good), 200);
  assert.equal(await status(upgradeHead(), good), 101);
  assert.ok(rig.counter("handshakes_failed") >= 8, "a handshake that TLS refuses is counted");
  const worker = await connectWorker({
    url: `wss://127.0.0.1:${port}`,
    tls: { ca, cert: good.cert, key: good.key },
    reconnect: false,
  });
  await worker.close();
});

test("an optional client certificate: none is fine, a foreign one is not", {
  skip: withoutOpenssl,
}, async (t) => {
  const rig = await testEngine(t);
  const made = certificates(t);
  const { ca, ...tls } = serverFiles(made);
  const { certFile: caFile } = made.authority("clients");
  const port = listenTls(rig, { ...tls, caFile, clientCertificate: "optional" });
  const { cert, key } = made.signed("authority", "worker-1");
  assert.equal((await rawRequest(port, REQUEST, { ca })).status, 200);
  assert.equal((await rawRequest(port, REQUEST, { ca, cert, key })).status, 0);
});

test("TLS 1.2 and 1.3 are spoken, 1.1 and plain text are not", { skip: withoutOpenssl }, async (t) => {
  const rig = await testEngine(t);
  const { ca, ...tls } = serverFiles(certificates(t));
  const port = listenTls(rig, tls);
  for (const version of ["TLSv1.2", "TLSv1.3"] as const)
    assert.equal(
      (await rawRequest(port, REQUEST, { ca, minVersion: version, maxVersion: version })).status,
      200,
    );
  const old = { ca, minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
  assert.equal((await rawRequest(port, REQUEST, old)).status, 0);
  assert.equal((await rawRequest(port, REQUEST)).status, 0);
});

/** Replaced as deployments do it: written beside, renamed over. */
function replace(made: Certificates, tls: TlsOptions, name: string): void {
  copyFileSync(made.file(`${name}.key`), `${tls.keyFile}.new`);
  renameSync(`${tls.keyFile}.new`, tls.keyFile);
  copyFileSync(made.file(`${name}.pem`), `${tls.certFile}.new`);
  renameSync(`${tls.certFile}.new`, tls.certFile);
}

test("a certificate that changes is shown to new connections; calls on old ones go on, nobody is turned away meanwhile", {
  skip: withoutOpenssl,
}, async (t) => {
  const rig = await runEngine(t);
  const made = certificates(t);
  const { ca, ...tls } = serverFiles(made);
  made.signed("authority", "second");
  const port = listenTls(rig, tls);
  const url = `wss://127.0.0.1:${port}`;
  const worker = await connectWorker({ url, tls: { ca }, reconnect: false });
  t.after(() => worker.close());
  await worker.register("tls::echo", (data) => data).ready();
  const caller = await connectWorker({ url, tls: { ca }, reconnect: false });
  t.after(() => caller.close());
  let [calls, newcomers, isOver] = [0, 0, false];
  const calling = (async () => {
    while (!isOver) assert.equal(await caller.call("tls::echo", ++calls), calls);
  })();
  const coming = (async () => {
    for (; !isOver; newcomers++) assert.equal((await rawRequest(port, REQUEST, { ca })).status, 200);
  })();
  assert.equal(await shown(port, ca), "first");
  replace(made, tls, "second");
  await eventually("the second certificate is shown", async () => (await shown(port, ca)) === "second");
  const [callsThen, newcomersThen] = [calls, newcomers];
  await eventually("both go on", () => calls > callsThen + 20 && newcomers > newcomersThen + 5);
  isOver = true;
  await Promise.all([calling, coming]);
  assert.equal(rig.engine.stats().counters["certificates_renewed"], 1);
  const late = await connectWorker({ url, tls: { ca }, reconnect: false });
  assert.equal(await late.call("tls::echo", "across generations"), "across generations");
  await late.close();
});

test("a broken new certificate is refused loudly, the old one stays, and the next good one is taken", {
  skip: withoutOpenssl,
}, async (t) => {
  const logged: string[] = [];
  const rig = await testEngine(t, { log: collecting(logged) });
  const made = certificates(t);
  const { ca, ...tls } = serverFiles(made);
  made.signed("authority", "second");
  const port = listenTls(rig, tls);
  const health = async (): Promise<unknown> =>
    JSON.parse((await rawRequest(port, REQUEST, { ca })).body).certificates[0].state;
  assert.equal(await health(), "in_force");
  writeFileSync(tls.certFile, "-----BEGIN CERTIFICATE-----\nbroken");
  await eventually("it is refused", async () => (await health()) === "renewal_refused");
  assert.equal(await shown(port, ca), "first");
  assert.equal(rig.counter("certificates_refused"), 1);
  assert.ok(
    logged.some((line) => line.includes("the old one stays in force") && line.includes(tls.certFile)),
  );
  copyFileSync(made.file("second.pem"), tls.certFile); // without its key
  await eventually("the mismatch is refused", () => rig.counter("certificates_refused") === 2);
  assert.ok(logged.some((line) => line.includes("is not the key of the certificate")));
  assert.equal(await shown(port, ca), "first");
  copyFileSync(made.file("second.key"), tls.keyFile);
  await eventually("it is taken", async () => (await shown(port, ca)) === "second");
  assert.equal(await health(), "in_force");
});

test("large calls by the hundred over wss://, both ways at once, come through", {
  skip: withoutOpenssl,
  timeout: 60_000,
}, async (t) => {
  const rig = await runEngine(t);
  const { ca, ...tls } = serverFiles(certificates(t));
  const url = `wss://127.0.0.1:${listenTls(rig, tls)}`;
  const workers = await Promise.all(
    ["a", "b"].map(() => connectWorker({ url, tls: { ca }, reconnect: false })),
  );
  const [a, b] = workers as [(typeof workers)[0], (typeof workers)[0]]; // two were made
  t.after(() => Promise.all([a.close(), b.close()]));
  await a.register("tls::a", (data) => data).ready();
  await b.register("tls::b", (data) => data).ready();
  const payload = new Uint8Array(200_000).fill(7);
  let left = 200;
  const calling = async (caller: typeof a, id: string): Promise<void> => {
    while (left-- > 0) assert.equal(Buffer.compare(await caller.call<Uint8Array>(id, payload), payload), 0);
  };
  // Not more at once than the kernel takes: beyond that see "What is not promised" in the README.
  const callers = Array.from({ length: 12 }, (_, at) =>
    at % 2 === 0 ? calling(a, "tls::b") : calling(b, "tls::a"),
  );
  await Promise.all(callers);
});

test("a channel over wss://: its writer is stopped while nobody reads, and goes on when somebody does", {
  skip: withoutOpenssl,
}, async (t) => {
  const { engine } = await runEngine(t);
  const { ca, ...tls } = serverFiles(certificates(t));
  const url = `wss://127.0.0.1:${listenTls({ engine }, tls)}`;
  const refs = (await engine.call("engine::channels::create", {})) as ChannelRefs; // its documented shape
  const writer = new WebSocket(channelUrl(url, refs.writer), { ca });
  t.after(() => writer.terminate());
  await new Promise((resolve) => writer.once("open", resolve));
  const total = 24 << 20;
  for (let sent = 0; sent < total; sent += 65_536) writer.send(Buffer.alloc(65_536));
  await eventually("the writer is stopped", () => engine.stats().counters["channels_paused"] === 1);
  const reader = new WebSocket(channelUrl(url, refs.reader), { ca });
  t.after(() => reader.terminate());
  let received = 0;
  reader.on("message", (data: Buffer) => {
    received += data.length;
  });
  await eventually("everything arrives", () => received === total);
  assert.equal(engine.channels.queuedBytes, 0);
});

test("what a listener cannot be made of is a CertificateError, and nothing is bound", {
  skip: withoutOpenssl,
}, async (t) => {
  const rig = await testEngine(t);
  const made = certificates(t);
  const { ca: _, ...tls } = serverFiles(made);
  const certFile = made.file("absent.pem");
  assert.throws(() => listenTls(rig, { ...tls, certFile }), CertificateError);
  assert.equal(rig.engine.listeners.length, 1);
});
