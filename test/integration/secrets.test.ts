// What a run must not tell: tokens, keys and passwords from the configuration, the environment, headers, queries and frames are looked for in every line that the
// engine writes at its most talkative, and in what it answers to probes and to status.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { WebSocket } from "ws";
import { eventually } from "../support/eventually.js";
import { runTercet, tercet, WORKER_SDK } from "../support/tercet.js";

const SECRET = {
  token: "token-of-the-operator-5d1c",
  wrongToken: "token-of-nobody-77aa",
  queryToken: "token-in-a-query-9e02",
  jwtSecret: "the-secret-of-all-signatures-41f7",
  workerEnv: "password-of-a-database-c3b8",
  payload: "payload-that-is-private-0b6d",
  url: "password-in-an-address-e6e1",
};

const CONFIG = (directory: string): string => `
server: { port: 0 }
log: { level: trace }
workers:
  - name: iii-worker-manager
    config:
      host: 127.0.0.1
      port: 0
      access:
        tokens:
          - { name: operator, token: ${SECRET.token}, call: all, register_functions: true }
          - { name: query, token: ${SECRET.queryToken}, call: all }
        jwt: { secret_env: JWT_SECRET, algorithms: [HS256], rules: [{ call: all }] }
  - name: iii-observability
    config: { otlp_endpoint: "http://127.0.0.1:9/", otlp_headers: { authorization: ${SECRET.url} } }
  - name: quiet
    command: [node, quiet.mjs]
    env: { DATABASE_PASSWORD: ${SECRET.workerEnv}, TERCET_TEST_WORKER: ${directory} }
`;

function jwt(secret: string): string {
  const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${encoded({ alg: "HS256" })}.${encoded({ sub: "somebody", exp: 4_000_000_000 })}`;
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}

/** Opens, says what there is to say, and resolves with the first frame when the engine or the test has closed. */
function visit(url: string, headers: Record<string, string>, ...frames: string[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { headers });
    let first = "";
    socket.on("open", () => {
      for (const frame of frames) socket.send(frame);
    });
    socket.on("message", (data) => {
      first ||= String(data);
      setImmediate(() => socket.close());
    });
    socket.on("error", () => undefined); // the close tells
    socket.on("close", () => resolve(first));
  });
}

test("no secret is logged, whatever is done with it", { timeout: 60_000 }, async (t) => {
  const engine = tercet(t);
  writeFileSync(
    join(engine.directory, "quiet.mjs"),
    `import { connect } from ${JSON.stringify(WORKER_SDK)};
const worker = await connect();
worker.register("quiet::fail", () => { throw new Error("no"); });
`,
  );
  process.env["JWT_SECRET"] = SECRET.jwtSecret; // inherited by the engine
  t.after(() => {
    delete process.env["JWT_SECRET"];
  });
  engine.spawn(CONFIG(engine.directory));
  const ready = await engine.logged((line) => line.msg.startsWith("ready on"));
  await engine.entered("quiet", "ready");
  const [open = "", guarded = ""] = ready["listeners"] as string[]; // the ready line carries the list it listens on
  const privateCall = `{"type":"invokefunction","invocation_id":"3b0f4f6e-0000-4000-8000-000000000001","function_id":"quiet::fail","data":"${SECRET.payload}"}`;
  const malformed = `{"type":"invokefunction","data":"${SECRET.payload}"`;
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const token = jwt(SECRET.jwtSecret);
  const forged = jwt("somebody-else's");
  assert.match(await visit(`${guarded}/`, bearer(SECRET.token), privateCall, malformed), /workerregistered/);
  assert.match(
    await visit(`${guarded}/?access_token=${SECRET.queryToken}`, {}, privateCall),
    /workerregistered/,
  );
  assert.match(await visit(`${guarded}/`, bearer(token)), /workerregistered/);
  const reattach = JSON.parse(await visit(`${open}/`, {}, privateCall)).reattach_token;
  for (const shown of [SECRET.wrongToken, forged, `${SECRET.token}x`])
    assert.match(await visit(`${guarded}/`, bearer(shown)), /AUTH_ERROR/);
  assert.match(await visit(`${guarded}/?access_token=${SECRET.wrongToken}`, {}), /AUTH_ERROR/);
  assert.match(await visit(`${guarded}/otel?access_token=${SECRET.wrongToken}`, {}), /AUTH_ERROR/);
  const page = { origin: "https://evil.example", ...bearer(SECRET.token) };
  assert.equal(await visit(`${guarded}/?access_token=${SECRET.queryToken}`, page), "", "refused");
  assert.equal(await visit(`${open}/ws/channels/none?key=${SECRET.queryToken}&dir=read`, {}), "", "refused");
  await visit(
    `${open}/`,
    {},
    `{"type":"reattach","previous_worker_id":"nobody","reattach_token":"${reattach}"}`,
    privateCall,
  );
  await eventually(
    "the refusals are logged",
    () => engine.lines.filter((line) => line.msg === "connection refused").length >= 4,
  );
  const printed = await runTercet(["config", "print", engine.file], { JWT_SECRET: SECRET.jwtSecret });
  assert.equal(printed.code, 0, printed.err);
  const status = await runTercet(["status", "--json"], { III_URL: open, TERCET_TOKEN: SECRET.token });
  assert.equal(status.code, 0, status.err);
  const pages = await Promise.all(
    ["healthz", "metrics", "readyz"].map(async (path) =>
      (await fetch(`${open.replace("ws:", "http:")}/${path}`)).text(),
    ),
  );
  engine.signal("SIGTERM");
  await engine.exited();
  const told = {
    log: JSON.stringify(engine.lines) + engine.err,
    config: printed.out,
    status: status.out,
    pages: pages.join(),
  };
  for (const [where, text] of Object.entries(told)) {
    assert.ok(text.length > 100, where);
    for (const [name, secret] of Object.entries({
      ...SECRET,
      token2: token,
      forged,
      reattach: String(reattach),
    }))
      assert.ok(!text.includes(secret), `${name} is in the ${where}: ${around(text, secret)}`);
  }
});

function around(text: string, part: string): string {
  const at = text.indexOf(part);
  return at === -1 ? "" : text.slice(Math.max(0, at - 200), at + 60);
}
