// Client certificates as identities: who comes with one has the rights of the first entry that means it.
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import type { AccessOptions } from "../../src/access/options.js";
import { digestOf } from "../../src/access/tokens.js";
import { type Certificates, certificates, type Pair, withoutOpenssl } from "../support/certificates.js";
import { Inbox } from "../support/inbox.js";
import { runEngine } from "../support/running-engine.js";

interface Rig {
  made: Certificates;
  /** The first frames of a JSON worker that comes with this certificate and asks for math::add, and the code of the close, if there is one. */
  enter(pair: Pair | null, headers?: Record<string, string>): Promise<{ first: string; call: string | null }>;
}

async function rigFor(t: TestContext, access: (made: Certificates) => AccessOptions): Promise<Rig> {
  const made = certificates(t);
  const ca = made.authority("authority").cert;
  const clients = made.authority("clients");
  const { certFile, keyFile } = made.signed("authority", "server");
  const tls = { certFile, keyFile, caFile: clients.certFile, clientCertificate: "optional" } as const;
  const { engine } = await runEngine(t, {
    listeners: [{ host: "127.0.0.1", port: 0, tls, access: access(made) }],
  });
  engine.serve({ id: "math::add", description: "Adds.", handle: async () => "3" });
  const port = engine.listeners[0]?.port ?? 0;
  const enter: Rig["enter"] = async (pair, headers = {}) => {
    const identity = pair === null ? {} : { cert: pair.cert, key: pair.key };
    const socket = new WebSocket(`wss://127.0.0.1:${port}/`, { ca, ...identity, headers });
    const inbox = new Inbox<string>();
    socket.on("message", (data) => inbox.put(String(data)));
    socket.on("error", () => undefined); // the close tells
    socket.on("close", (code) => inbox.put(`close ${code}`));
    const first = JSON.parse(await inbox.next("the first frame"));
    if (first.type !== "workerregistered") return { first: first.error.message, call: null };
    socket.send(
      '{"type":"invokefunction","invocation_id":"3b0f4f6e-0000-4000-8000-000000000001","function_id":"math::add","data":{}}',
    );
    const answer = JSON.parse(await inbox.next("the answer"));
    socket.terminate();
    return { first: first.type, call: answer.error?.code ?? answer.result };
  };
  return { made, enter };
}

function fingerprint({ cert }: Pair): string {
  return createHash("sha256").update(new X509Certificate(cert).raw).digest("hex");
}

test("rights follow the certificate's common name or fingerprint; a token goes before it; the rest is refused", {
  skip: withoutOpenssl,
}, async (t) => {
  const rig = await rigFor(t, (made) => ({
    tokens: [{ name: "ops", sha256: digestOf("a-token-for-operators"), rights: { call: "all" } }],
    certificates: [
      { name: "callers", match: { commonName: "caller-*" }, rights: { call: "all" } },
      {
        name: "pinned",
        match: { fingerprintSha256: fingerprint(made.signed("clients", "pinned")) },
        rights: {},
      },
    ],
  }));
  const { made, enter } = rig;
  const caller = made.signed("clients", "caller-7");
  assert.deepEqual(await enter(caller), { first: "workerregistered", call: 3 });
  assert.deepEqual(await enter(made.pair("pinned")), { first: "workerregistered", call: "FORBIDDEN" });
  const other = made.signed("clients", "not-a-caller");
  assert.deepEqual(await enter(other), { first: "The certificate grants nothing here", call: null });
  assert.deepEqual(await enter(null), { first: "No token was shown", call: null });
  const authorization = "Bearer a-token-for-operators";
  assert.deepEqual(await enter(other, { authorization }), { first: "workerregistered", call: 3 });
  const wrong = { authorization: "Bearer nobody-knows-this-one" };
  assert.deepEqual(await enter(caller, wrong), { first: "The token is not known", call: null });
});
