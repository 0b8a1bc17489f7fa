// Static tokens and JSON Web Tokens: who shows one has its rights, whoever shows none stays out, and the comparison tells nothing by its time.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { exportJWK, importPKCS8, SignJWT } from "jose";
import type { AccessOptions, JwtOptions } from "../../src/access/options.js";
import { digestOf, findToken, isSameSecret } from "../../src/access/tokens.js";
import { bearer, exposes, guardedEngine, refusalOf, serve } from "./support.js";

const SECRET = "a-shared-secret-of-more-than-thirty-two-bytes";

function token(
  name: string,
  secret: string,
  rights: AccessOptions["tokens"] extends infer _ ? object : never = {},
) {
  return { name, sha256: digestOf(secret), rights };
}

async function signed(claims: Record<string, unknown>, options: { secret?: string; expires?: string } = {}) {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer("issuer")
    .setAudience("tercet")
    .setSubject("alice")
    .setExpirationTime(options.expires ?? "1h")
    .sign(new TextEncoder().encode(options.secret ?? SECRET));
}

const JWT: JwtOptions = {
  key: { secret: SECRET },
  algorithms: ["HS256"],
  issuer: "issuer",
  audience: "tercet",
  rules: [
    { claims: { role: "admin" }, rights: { call: "all", registerFunctions: true } },
    { claims: { scope: "read" }, rights: { call: exposes("read::*") } },
  ],
};

test("a static token has its rights, by header or query; no token and a wrong one are refused", async (t) => {
  const tokens = [
    token("reader", "reader-secret-reader", { call: exposes("read::*"), deny: exposes("read::no") }),
  ];
  const rig = await guardedEngine(t, { tokens });
  await serve(rig, "read::a", () => 1);
  for (const peer of [
    await rig.entered("/", bearer("reader-secret-reader")),
    await rig.entered("/?access_token=reader%2Dsecret%2Dreader"),
  ]) {
    assert.equal((await peer.call("read::a", {})).result, 1);
    assert.equal((await peer.call("read::no", {})).error?.code, "FORBIDDEN");
    assert.equal((await peer.call("write::a", {})).error?.code, "FORBIDDEN");
    peer.register("mine");
    const refused = await peer.next();
    assert.deepEqual([refused.type, refused["code"]], ["registrationrefused", "FORBIDDEN"]);
  }
  for (const headers of [{}, bearer("reader-secret-readeR"), { authorization: "Basic abc" }]) {
    const refusal = await refusalOf(rig.enter("/", headers));
    assert.deepEqual([refusal.code, refusal.close], ["AUTH_ERROR", 4401]);
  }
  assert.equal(rig.engine.access.sessionOf(1)?.subject ?? null, null, "the trusted worker has no session");
});

test("the log and the refusal never hold the token that was shown", async (t) => {
  const rig = await guardedEngine(t, { tokens: [token("a", "x".repeat(20))] });
  const refusal = await refusalOf(rig.enter("/", bearer("shown-secret-shown")));
  assert.doesNotMatch(refusal.message, /shown-secret/);
});

test("a token that may register has its functions under its prefix, and its namespaces", async (t) => {
  const rights = { registerFunctions: true, prefix: "team", namespaces: ["shop"] };
  const rig = await guardedEngine(t, { tokens: [token("team", "team-secret-team-", rights)] });
  const peer = await rig.enteredMsgpack(bearer("team-secret-team-"), { namespace: "shop" });
  await peer.register(["f"]);
  const caller = await rig.json();
  assert.equal((await caller.call("f", {}, { namespace: "shop" })).error?.code, "function_not_found");
  caller.invoke("team::f", {}, { namespace: "shop" });
  assert.equal((await peer.next("the call"))[0], 1);
  const stranger = rig.enterMsgpack(bearer("team-secret-team-"));
  await stranger.opened;
  stranger.send([16, { version: 1, namespace: "other" }]);
  assert.equal((await stranger.next())[2], "FORBIDDEN");
  assert.equal((await stranger.closed).code, 4403);
});

test("a JWT has the rights of the first rule that its claims agree with", async (t) => {
  const rig = await guardedEngine(t, { jwt: JWT });
  await serve(rig, "read::a", () => 1);
  await serve(rig, "write::a", () => 2);
  const admin = await rig.entered("/", bearer(await signed({ role: "admin", scope: "read" })));
  assert.equal((await admin.call("write::a", {})).result, 2);
  const reader = await rig.entered("/", bearer(await signed({ scope: "write read" })));
  assert.equal((await reader.call("read::a", {})).result, 1);
  assert.equal((await reader.call("write::a", {})).error?.code, "FORBIDDEN");
});

test("a JWT that is expired, of another issuer, of another key, unsigned, or without a rule is refused", async (t) => {
  const rig = await guardedEngine(t, { jwt: JWT });
  const none = [{ alg: "none" }, { role: "admin", iss: "issuer", aud: "tercet" }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const good = await signed({ role: "admin" });
  const foreign = await new SignJWT({ role: "admin" })
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer("other")
    .setAudience("tercet")
    .sign(new TextEncoder().encode(SECRET));
  for (const shown of [
    await signed({ role: "admin" }, { expires: "-1h" }),
    foreign,
    await signed({ role: "admin" }, { secret: `${SECRET}x` }),
    `${none}.`,
    `${good.slice(0, -2)}xx`,
    await signed({ role: "guest" }),
    "not.a.jwt",
    "nothing",
  ]) {
    const refusal = await refusalOf(rig.enter("/", bearer(shown)));
    assert.equal(refusal.code, "AUTH_ERROR", shown);
  }
});

test("a public key verifies, and is never taken for a shared secret", async (t) => {
  const pair = generateKeyPairSync("ed25519", {
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const jwt: JwtOptions = {
    key: { publicKeyPem: pair.publicKey },
    algorithms: ["EdDSA"],
    rules: [{ claims: {}, rights: { call: "all" } }],
  };
  const rig = await guardedEngine(t, { jwt });
  const key = await importPKCS8(pair.privateKey, "EdDSA");
  await rig.entered("/", bearer(await new SignJWT({}).setProtectedHeader({ alg: "EdDSA" }).sign(key)));
  const forged = await new SignJWT({})
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(pair.publicKey));
  assert.equal((await refusalOf(rig.enter("/", bearer(forged)))).code, "AUTH_ERROR");
});

test("a key set is fetched; one that hangs or cannot be had keeps everybody out in time", async (t) => {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: "k", alg: "ES256" };
  let hangs = false;
  const server = createServer((_, response) => {
    if (!hangs) response.end(JSON.stringify({ keys: [jwk] }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  const jwt: JwtOptions = {
    key: { jwksUrl },
    algorithms: ["ES256"],
    rules: [{ claims: {}, rights: { call: "all" } }],
  };
  const shown = await new SignJWT({}).setProtectedHeader({ alg: "ES256", kid: "k" }).sign(pair.privateKey);
  const rig = await guardedEngine(t, { jwt, authTimeoutMs: 1_000 });
  await rig.entered("/", bearer(shown));
  hangs = true;
  const other = await guardedEngine(t, { jwt, authTimeoutMs: 50 });
  assert.equal((await refusalOf(other.enter("/", bearer(shown)))).code, "AUTH_ERROR");
});

test("findToken() compares every digest, and isSameSecret() texts of any length", () => {
  const tokens = ["aaaa", "bbbb", "cccc"].map((secret) => token(secret, secret));
  assert.equal(findToken(tokens, "bbbb")?.name, "bbbb");
  for (const shown of ["", "bbb", "bbbbb", "dddd"]) assert.equal(findToken(tokens, shown), undefined);
  assert.equal(isSameSecret("abc", "abc"), true);
  assert.equal(isSameSecret("abc", "abcd"), false);
});

test("with an auth function beside tokens, whoever shows none is asked about", async (t) => {
  const rig = await guardedEngine(t, {
    tokens: [token("a", "aaaaaaaaaaaaaaaaaaaa", { call: "all" })],
    rbac: { authFunctionId: "auth", exposeFunctions: [] },
  });
  let asked = 0;
  await serve(rig, "auth", () => {
    asked++;
    return {};
  });
  await rig.entered("/", bearer("aaaaaaaaaaaaaaaaaaaa"));
  assert.equal(asked, 0);
  await rig.entered("/");
  assert.equal(asked, 1);
});
