// HTTP functions from end to end: a JSON worker registers one, others call it, a real server answers; and servers that mean harm.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { type TestContext, test } from "node:test";
import type { HttpFunctionsOptions } from "../../src/http/http-functions.js";
import { HTTP_SECURITY } from "../../src/http/url-policy.js";
import { eventually } from "../support/eventually.js";
import { errorOf, pack, value } from "../support/msgpack-peer.js";
import { testEngine } from "../support/test-engine.js";
import { OPEN, type Respond, scriptedServer } from "./support.js";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

async function rigOf(t: TestContext, respond: Respond, options: Partial<HttpFunctionsOptions> = {}) {
  const server = await scriptedServer(t, respond);
  const rig = await testEngine(t, { httpFunctions: { security: OPEN, ...options } });
  const owner = await rig.jsonOffering();
  const register = async (id: string, invocation: object = {}): Promise<void> => {
    owner.register(id, { invocation: { url: `${server.url}/hook`, ...invocation } });
    await owner.settle();
  };
  const caller = await rig.json();
  return { ...rig, server, owner, register, caller };
}

test("a call is a request with the input as its body, and the response's JSON is the result", async (t) => {
  const rig = await rigOf(t, (response) => response.end('{"ok":1.50}'));
  await rig.register("h::f", { headers: { "x-own": "1" } });
  rig.caller.invoke("h::f", { n: 1 });
  const answer = await rig.caller.next();
  assert.deepEqual(answer.result, { ok: 1.5 });
  assert.match(rig.caller.text, /"result":\{"ok":1\.50\}/, "spelled as the server spelled it");
  const [request] = rig.server.received;
  assert.deepEqual([request?.method, request?.path], ["POST", "/hook"]);
  assert.deepEqual(JSON.parse(request?.body ?? ""), { _caller_worker_id: rig.caller.workerId, n: 1 });
  assert.equal(request?.headers["content-type"], "application/json");
  assert.equal(request?.headers["x-iii-function-path"], "h::f");
  assert.match(String(request?.headers["x-iii-invocation-id"]), UUID);
  assert.ok(Math.abs(Number(request?.headers["x-iii-timestamp"]) - Date.now() / 1000) < 60);
  assert.equal(request?.headers["x-own"], "1");
  await rig.owner.settle();
});

test("the owner never receives the call; its leaving, or unregistering, takes the function away", async (t) => {
  const rig = await rigOf(t, (response) => response.end("1"));
  await rig.register("f");
  await rig.register("g");
  assert.equal((await rig.caller.call("f", {})).result, 1);
  rig.owner.send({ type: "unregisterfunction", id: "f" });
  await rig.owner.settle();
  assert.equal((await rig.caller.call("f", {})).error?.code, "function_not_found");
  rig.owner.socket.close();
  await rig.owner.closed;
  await eventually(
    "g is gone",
    async () => (await rig.caller.call("g", {})).error?.code === "function_not_found",
  );
  assert.equal(rig.engine.functions.carried.size, 0);
});

test("a worker may change a function from one kind to the other and back", async (t) => {
  const rig = await rigOf(t, (response) => response.end('"http"'));
  await rig.register("f");
  assert.equal((await rig.caller.call("f", {})).result, "http");
  rig.owner.register("f");
  await rig.owner.settle();
  const id = rig.caller.invoke("f", {});
  rig.owner.answer(await rig.owner.next(), "socket");
  const answer = await rig.caller.next();
  assert.deepEqual([answer.invocation_id, answer.result], [id, "socket"]);
  await rig.register("f");
  assert.equal((await rig.caller.call("f", {})).result, "http");
});

test("an HTTP function stands by behind another owner and takes over when that one leaves", async (t) => {
  const rig = await rigOf(t, (response) => response.end('"http"'));
  const first = await rig.jsonOffering("f");
  rig.owner.register("f", { invocation: { url: rig.server.url } });
  assert.equal((await rig.owner.next()).type, "registrationrejected");
  first.socket.close();
  await first.closed;
  await eventually("it has taken over", async () => (await rig.caller.call("f", {})).result === "http");
});

test("msgpack workers call and cast to it", async (t) => {
  const rig = await rigOf(t, (response) => response.end('{"a":[1,2]}'));
  await rig.register("f");
  const peer = await rig.msgpack();
  peer.send([1, 4, "f", 0, 0, null, pack({ n: 2 })]);
  const result = await peer.next();
  assert.deepEqual([result[0], result[1], value(result[2])], [2, 4, { a: [1, 2] }]);
  const [handle = 0] = await peer.resolve("f");
  peer.send([5, handle, 0, 0, null, pack({ cast: true })]);
  await eventually("the cast has come", () => rig.server.received.length === 2);
  assert.match(rig.server.received[1]?.body ?? "", /"cast":true/);
});

test("void calls and calls of the engine itself reach it", async (t) => {
  const rig = await rigOf(t, (response) => response.end("7"));
  await rig.register("f", { method: "PUT" });
  rig.caller.send({ type: "invokefunction", function_id: "f", data: 1, action: { type: "void" } });
  await eventually("the void call has come", () => rig.server.received.length === 1);
  assert.deepEqual([rig.server.received[0]?.method, rig.server.received[0]?.body], ["PUT", "1"]);
  assert.equal(await rig.engine.call("f", {}), 7);
});

test("what a response means", async (t) => {
  const cases: [number, string, unknown][] = [
    [200, "", { result: undefined }],
    [204, "", { result: undefined }],
    [201, "null", { result: undefined }],
    [200, "text", { code: "invalid_response" }],
    [302, "", { result: undefined }],
    [302, '{"to":1}', { result: { to: 1 } }],
    [304, "", { result: undefined }],
    [400, '{"error":{"code":"mine","message":"why"}}', { code: "mine", message: "why" }],
    [400, '{"error":{"code":5}}', { code: "http_error", message: "HTTP request failed" }],
    [422, '{"error":"flat"}', { code: "http_error", message: "HTTP request failed" }],
    [404, "nope", { code: "http_error", message: "HTTP 404 Not Found" }],
    [500, '{"no":"error"}', { code: "http_error", message: "HTTP 500 Internal Server Error" }],
    [200, "[".repeat(130) + "]".repeat(130), { code: "invalid_response" }],
    [200, "9".repeat(4_301), { code: "invalid_response" }],
  ];
  let next = 0;
  const rig = await rigOf(t, (response) => {
    const [status, body] = cases[next++] ?? [500, ""];
    response.statusCode = status;
    response.end(status === 204 || status === 304 ? undefined : body);
  });
  await rig.register("f");
  for (const [status, body, wanted] of cases) {
    const { result, error } = await rig.caller.call("f", {});
    const found = error === undefined ? { result } : { code: error.code, message: error.message };
    if (typeof wanted === "object" && wanted !== null && "code" in wanted && !("message" in wanted))
      assert.equal(error?.code, wanted.code, `${status} ${body.slice(0, 40)}`);
    else assert.deepEqual(found, wanted, `${status} ${body.slice(0, 40)}`);
  }
  assert.equal(rig.server.connections(), 1, "one connection for all of them");
});

test("credentials come from the environment; a missing one refuses the registration in a frame SDKs ignore", async (t) => {
  const env = { SIGN: "key", TOKEN: "tok", API: "val" };
  const rig = await rigOf(t, (response) => response.end("1"), { env });
  await rig.register("hmac", { auth: { type: "hmac", secret_key: "SIGN" } });
  await rig.register("bearer", { auth: { type: "bearer", token_key: "TOKEN" } });
  await rig.register("key", { auth: { type: "api_key", header: "x-key", value_key: "API" } });
  for (const id of ["hmac", "bearer", "key"])
    assert.equal((await rig.caller.call(id, { a: "é" })).result, 1, id);
  const [hmac, token, key] = rig.server.received;
  const signed = `${hmac?.headers["x-iii-timestamp"]}:${Buffer.from(hmac?.body ?? "").toString("base64")}`;
  const wanted = `sha256=${createHmac("sha256", "key").update(signed).digest("hex")}`;
  assert.equal(hmac?.headers["x-iii-signature"], wanted);
  assert.equal(token?.headers.authorization, "Bearer tok");
  assert.equal(key?.headers["x-key"], "val");
  for (const [auth, code] of [
    [{ type: "hmac", secret_key: "NO" }, "secret_not_found"],
    [{ type: "bearer", token_key: "NO" }, "token_not_found"],
    [{ type: "api_key", header: "h", value_key: "toString" }, "api_key_not_found"],
  ] as const) {
    rig.owner.register("x", { invocation: { url: rig.server.url, auth } });
    const frame = await rig.owner.next();
    assert.deepEqual([frame.type, frame["code"], frame["function_id"]], ["registrationrefused", code, "x"]);
  }
  assert.equal((await rig.caller.call("x", {})).error?.code, "function_not_found");
});

test("an invocation that cannot be read is refused, and nothing is registered", async (t) => {
  const rig = await rigOf(t, (response) => response.end("1"));
  for (const invocation of [
    7,
    {},
    { url: 7 },
    { url: rig.server.url, method: "get" },
    { url: rig.server.url, method: "TRACE" },
    { url: rig.server.url, timeout_ms: -1 },
    { url: rig.server.url, headers: null },
    { url: rig.server.url, headers: { a: 1 } },
    { url: rig.server.url, headers: { "bad name": "x" } },
    { url: rig.server.url, headers: { a: "x\r\ny: z" } },
    { url: rig.server.url, headers: { Host: "internal" } },
    { url: rig.server.url, auth: { type: "basic" } },
    { url: rig.server.url, auth: { type: "hmac" } },
  ]) {
    rig.owner.register("f", { invocation });
    const frame = await rig.owner.next();
    assert.deepEqual(
      [frame.type, frame["code"]],
      ["registrationrefused", "deserialization_error"],
      JSON.stringify(invocation),
    );
  }
  assert.equal((await rig.caller.call("f", {})).error?.code, "function_not_found");
});

test("without the entry iii-http-functions they are refused", async (t) => {
  const rig = await testEngine(t);
  const owner = await rig.jsonOffering();
  owner.register("f", { invocation: { url: "https://a.example" } });
  assert.equal((await owner.next())["code"], "http_functions_unavailable");
});

test("an address that is not allowed is refused at registration", async (t) => {
  const rig = await testEngine(t, { httpFunctions: { security: HTTP_SECURITY } });
  const owner = await rig.jsonOffering();
  for (const url of [
    "https://169.254.169.254/latest/meta-data",
    "https://[::ffff:127.0.0.1]/",
    "http://a.example/",
  ]) {
    owner.register("f", { invocation: { url } });
    const frame = await owner.next();
    assert.deepEqual([frame.type, frame["code"]], ["registrationrefused", "url_validation_failed"], url);
  }
});

test("a name that turns to a private address after registration is not connected to", async (t) => {
  let address = "93.184.216.34";
  const asked: string[] = [];
  const rig = await rigOf(t, (response) => response.end("1"), {
    security: { ...HTTP_SECURITY, requireHttps: false },
    resolve: async (host) => {
      asked.push(host);
      return [{ address, family: 4 }];
    },
  });
  await rig.register("f", { url: `http://rebind.example:${rig.server.port}/` });
  address = "127.0.0.1";
  assert.deepEqual((await rig.caller.call("f", {})).error, {
    code: "url_validation_failed",
    message: "Private IP blocked",
  });
  assert.equal(rig.server.connections(), 0);
  assert.deepEqual(asked, ["rebind.example", "rebind.example"]);
});

test("the connection goes to the address that was judged, whatever the system would say of the name", async (t) => {
  const rig = await rigOf(t, (response) => response.end("1"), {
    resolve: async () => [{ address: "127.0.0.1", family: 4 }],
  });
  await rig.register("f", { url: `http://no-such-name.invalid:${rig.server.port}/` });
  assert.equal((await rig.caller.call("f", {})).result, 1);
  assert.equal(rig.server.received[0]?.headers.host, `no-such-name.invalid:${rig.server.port}`);
});

test("a redirect to a metadata address is an answer and not followed", async (t) => {
  const rig = await rigOf(t, (response, { path }) => {
    if (path === "/hook")
      response.writeHead(307, { location: "http://169.254.169.254/latest/meta-data" }).end();
    else response.end('"followed"');
  });
  await rig.register("f");
  const answer = await rig.caller.call("f", {});
  assert.equal(answer.error, undefined);
  assert.equal(answer.result, undefined);
  assert.equal(rig.server.received.length, 1);
});

test("a response of 10 GB is cut off at the bound, not after it was read", async (t) => {
  let sent = 0;
  let isCut = false;
  const rig = await rigOf(
    t,
    (response) => {
      response.writeHead(200, { "content-length": String(10 * 2 ** 30) });
      const chunk = Buffer.alloc(65_536, 0x20);
      const more = (): void => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      };
      response.on("drain", more).on("close", () => {
        isCut = true;
      });
      more();
    },
    { responseBytesMax: 1 << 20 },
  );
  await rig.register("f");
  const { error } = await rig.caller.call("f", {});
  assert.equal(error?.code, "http_response_failed");
  assert.match(error?.message ?? "", /longer than 1048576 bytes/);
  await eventually("the server notices", () => isCut);
  assert.ok(sent < 64 << 20, `${sent} bytes were sent`);
});

test("a response that drips is ended by the time of the call", async (t) => {
  let timer: NodeJS.Timeout | undefined;
  t.after(() => clearInterval(timer));
  const rig = await rigOf(t, (response) => {
    response.write("[");
    timer = setInterval(() => response.write("1,"), 10);
  });
  await rig.register("f", { timeout_ms: 200 });
  const startedMs = performance.now();
  assert.equal((await rig.caller.call("f", {})).error?.code, "http_response_failed");
  assert.ok(performance.now() - startedMs < 4_000);
});

test("a server that never answers, one that hangs up, and none at all: http_request_failed with the cause", async (t) => {
  let hangsUp = false;
  const rig = await rigOf(t, (response) => {
    if (hangsUp) response.destroy();
  });
  await rig.register("f", { timeout_ms: 100 });
  assert.equal((await rig.caller.call("f", {})).error?.code, "http_request_failed");
  hangsUp = true;
  assert.equal((await rig.caller.call("f", {})).error?.code, "http_request_failed");
  await rig.register("g", { url: "http://127.0.0.1:1/" });
  const { error } = await rig.caller.call("g", {});
  assert.equal(error?.code, "http_request_failed");
  assert.match(error?.message ?? "", /ECONNREFUSED|bad port/);
});

test("requests under way are bounded: beyond that overloaded", async (t) => {
  const waiting: (() => void)[] = [];
  const rig = await rigOf(t, (response) => waiting.push(() => response.end("1")), { requestsMax: 1 });
  await rig.register("f");
  const first = rig.caller.invoke("f", {});
  await eventually("it is under way", () => waiting.length === 1);
  const peer = await rig.msgpack();
  peer.send([1, 1, "f", 0, 0, null, pack({})]);
  assert.equal(errorOf(await peer.next()).code, "overloaded");
  waiting[0]?.();
  assert.equal((await rig.caller.next()).invocation_id, first);
  const again = rig.caller.invoke("f", {});
  await eventually("the next one is under way", () => waiting.length === 2);
  waiting[1]?.();
  assert.equal((await rig.caller.next()).invocation_id, again);
});

test("a function that a rule shares cannot be an HTTP function", async (t) => {
  const rig = await testEngine(t, {
    httpFunctions: { security: OPEN },
    functions: [{ match: "pool::*", share: "round_robin" }],
  });
  const owner = await rig.jsonOffering();
  owner.register("pool::f", { invocation: { url: "http://127.0.0.1:1/" } });
  assert.equal((await owner.next())["code"], "INVALID_ARGUMENTS");
});
