// The door of a listener on real sockets: pages by origin, requests by host, how many from one address, what every answer carries.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { eventually } from "../support/eventually.js";
import { runEngine } from "../support/running-engine.js";
import { testEngine } from "../support/test-engine.js";
import { rawRequest, upgradeHead } from "./raw-request.js";

const PATHS = ["/", "/otel", "/ws/channels/none?key=k&dir=read"];

test("an upgrade of a foreign page is 403 on every path, one of this machine's pages and one of no page get through", async (t) => {
  const { port, counter } = await testEngine(t);
  for (const path of PATHS)
    for (const origin of ["https://evil.example", `http://evil.example:${port}`, "null"]) {
      const host = origin.startsWith("http:") ? `evil.example:${port}` : "localhost"; // a name that was rebound to this machine
      const { status, body } = await rawRequest(port, upgradeHead(path, { origin, host }));
      assert.equal(status, 403, `${path} ${origin}`);
      assert.match(body, /pages of this origin/);
    }
  assert.equal(counter("origins_refused"), 9);
  for (const extra of [{ origin: "http://localhost:5173" }, { origin: "http://127.0.0.1" }, {}]) {
    assert.equal((await rawRequest(port, upgradeHead("/", extra))).status, 101);
    assert.equal((await rawRequest(port, upgradeHead("/otel", extra))).status, 101);
    assert.equal(
      (await rawRequest(port, upgradeHead(PATHS[2], extra))).status,
      404,
      "there is no such channel",
    );
  }
});

test("a listener's origins take the place of the default", async (t) => {
  const { engine, port } = await testEngine(t);
  const origins = [{ scheme: "https", host: "app.example.com", port: "" }];
  const strict = engine.listen({ host: "127.0.0.1", port: 0, origins });
  const status = async (at: number, origin: string) =>
    (await rawRequest(at, upgradeHead("/", { origin }))).status;
  assert.equal(await status(strict.port, "https://app.example.com"), 101);
  assert.equal(await status(strict.port, "http://localhost:5173"), 403);
  assert.equal(await status(port, "https://app.example.com"), 403, "the other listener has its own");
});

test("a page request that names a foreign host is 421 on a loopback listener: a rebound name reads nothing", async (t) => {
  const { engine, port, counter } = await testEngine(t);
  const ask = (host: string, at = port, path = "/healthz") =>
    rawRequest(at, `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
  for (const host of ["evil.example", `evil.example:${port}`, "localhost.evil.example", "a b", "x@localhost"])
    for (const path of ["/healthz", "/metrics", "/nowhere"])
      assert.equal((await ask(host, port, path)).status, 421, host);
  assert.equal(counter("hosts_refused"), 15);
  for (const host of [
    "localhost",
    `localhost:${port}`,
    "127.0.0.1",
    "[::1]:1",
    "engine.localhost",
    "10.1.2.3",
  ])
    assert.equal((await ask(host)).status, 200, host);
  const origins = [{ scheme: "https", host: "app.example.com", port: "" }];
  const named = engine.listen({ host: "127.0.0.1", port: 0, origins });
  assert.equal((await ask("app.example.com", named.port)).status, 200, "a page that may connect may ask");
});

test("every answer carries the security headers, names no server, and ends its socket", async (t) => {
  const { port } = await testEngine(t);
  const host = "host: localhost\r\n\r\n";
  const asked: [string, number][] = [
    [`GET /healthz HTTP/1.1\r\n${host}`, 200],
    [`GET /readyz HTTP/1.1\r\n${host}`, 200],
    [`GET /metrics HTTP/1.1\r\n${host}`, 200],
    [`GET / HTTP/1.1\r\n${host}`, 426],
    [`GET /nowhere HTTP/1.1\r\n${host}`, 404],
    [`POST /healthz HTTP/1.1\r\ncontent-length: 2\r\n${host}{}`, 404],
    ["GET /healthz HTTP/1.1\r\nhost: evil.example\r\n\r\n", 421],
    [upgradeHead("/", { origin: "https://evil.example" }), 403],
    [upgradeHead("/ws/channels/none?key=k&dir=read"), 404],
    [upgradeHead("/ws/channels/none"), 400],
  ];
  for (const [bytes, status] of asked) {
    const answer = await rawRequest(port, bytes); // resolves when the engine has closed
    assert.equal(answer.status, status, bytes);
    const { headers } = answer;
    assert.equal(headers["x-content-type-options"], "nosniff", bytes);
    assert.equal(headers["cache-control"], "no-store", bytes);
    assert.equal(headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'", bytes);
    assert.equal(headers["cross-origin-resource-policy"], "same-origin", bytes);
    assert.equal(headers["referrer-policy"], "no-referrer", bytes);
    assert.deepEqual(
      Object.keys(headers).filter((name) => /server|uwebsockets|powered/.test(name)),
      [],
    );
  }
});

test("one address may have so many connections and handshakes, and gets its places back", async (t) => {
  const { port, json, counter, engine } = await testEngine(t, {
    limits: { connectionsPerAddressMax: 3, handshakesPerAddressMax: 2 },
  });
  const silent = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
  t.after(() => {
    for (const socket of silent) socket.destroy();
  });
  await eventually(
    "a third socket is refused",
    async () => (await rawRequest(port, upgradeHead())).status === 0,
  );
  assert.ok(counter("addresses_refused") > 0);
  for (const socket of silent) socket.destroy();
  await eventually("the two have been seen to go", () => counter("handshakes_failed") === 2);
  const peers = [await json(), await json(), await json()];
  const refused = counter("addresses_refused");
  assert.equal((await rawRequest(port, upgradeHead())).status, 0);
  assert.equal(counter("addresses_refused"), refused + 1);
  peers[0]?.socket.close();
  await eventually("its place is free", () => engine.stats().connections === 2);
  await (await json()).settle();
});

test("a stranger who goes on knocking writes one line in ten seconds, without his path", async (t) => {
  const { port, logged } = await runEngine(t);
  for (let knock = 0; knock < 5; knock++)
    await rawRequest(
      port,
      upgradeHead("/?access_token=very-secret-token", { origin: "https://evil.example" }),
    );
  const lines = logged.filter((line) => line["origin"] === "https://evil.example");
  assert.equal(lines.length, 1);
  assert.doesNotMatch(JSON.stringify(logged), /very-secret-token/);
});

test("a head that is too large or is no request is refused, and the next request is served", async (t) => {
  const { port } = await testEngine(t);
  const large = await rawRequest(port, upgradeHead("/", { "x-large": "a".repeat(5_000) }));
  assert.equal(large.status, 431);
  const nonsense = await rawRequest(port, "\u0016\u0003\u0001nonsense\r\n\r\n");
  assert.ok([0, 400, 505].includes(nonsense.status), `${nonsense.status}`); // uWebSockets' own answers
  assert.equal((await rawRequest(port, upgradeHead())).status, 101);
});

test("a request head that comes byte by byte is cut within 13 seconds of accept", {
  timeout: 30_000,
}, async (t) => {
  const { port, counter } = await testEngine(t);
  const socket = connect(port, "127.0.0.1");
  const startedMs = performance.now();
  socket.write("GET / HTTP/1.1\r\nhost: ");
  const dribble = setInterval(() => socket.write("a"), 200);
  t.after(() => clearInterval(dribble));
  socket.on("error", () => undefined);
  await new Promise((resolve) => socket.once("close", resolve));
  assert.ok(performance.now() - startedMs < 20_000, "uWebSockets' own bound, with room for a busy machine");
  await eventually("it is counted", () => counter("handshakes_failed") === 1);
});
