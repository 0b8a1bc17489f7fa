// Rules of access, HTTP functions and telemetry in config.yaml: what is read, what is refused where, and that no token is kept.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findToken } from "../../src/access/tokens.js";
import { accessOptions } from "../../src/cli/access-options.js";
import { engineOptions } from "../../src/cli/engine-options.js";
import { parseConfig } from "../../src/config/load.js";
import { ConfigError } from "../../src/config/problem.js";
import { createLogger } from "../../src/log.js";

const TOKEN = "a-token-of-twenty-characters";

function listener(config: string): string {
  return `workers:\n  - name: iii-worker-manager\n    config:\n      port: 1\n      host: h\n${config.replace(/^/gm, "      ")}\n`;
}

function problemsOf(text: string): { line: number; message: string }[] {
  try {
    parseConfig(text);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(({ line, message }) => ({ line, message }));
  }
  return [];
}

function optionsOf(text: string, env: Record<string, string> = {}, file?: string) {
  const config = parseConfig(text, file === undefined ? {} : { file });
  const [first] = config.listeners;
  assert.ok(first !== undefined);
  return accessOptions(first, { file, env });
}

test("a listener without rules has none; the reference's null means none, too", () => {
  assert.equal(optionsOf(listener("{}").replace("      {}\n", "")), undefined);
  assert.equal(optionsOf(listener("rbac: null\nmiddleware_function_id: null")), undefined);
});

test("rbac as the reference writes it", () => {
  const text = listener(`middleware_function_id: mw
rbac:
  auth_function_id: auth::check
  on_trigger_registration_function_id: hook
  some_future_key: 1
  expose_functions:
    - match("open::*")
    - " match('b') "
    - { match: "c::*", namespace: shop }
    - metadata: { public: true }`);
  assert.deepEqual(optionsOf(text), {
    middlewareFunctionId: "mw",
    rbac: {
      authFunctionId: "auth::check",
      onTriggerRegistrationFunctionId: "hook",
      exposeFunctions: [
        { kind: "pattern", namespace: "default", pattern: "open::*" },
        { kind: "pattern", namespace: "default", pattern: "b" },
        { kind: "pattern", namespace: "shop", pattern: "c::*" },
        { kind: "metadata", namespace: "default", members: new Map([["public", true]]) },
      ],
    },
  });
});

test("rules that make no sense are refused with their line", () => {
  for (const [rule, message] of [
    ["open::*", /not of the form match/],
    ['{ match: "a", metadata: { b: 1 } }', /either match or metadata/],
    ["{ namespace: a }", /either match or metadata/],
    ["{ metadata: {} }", /at least one key/],
    ["{ match: a, other: 1 }", /unknown key "other"/],
    ["7", /a rule is/],
  ] as const) {
    const [problem] = problemsOf(listener(`rbac:\n  expose_functions:\n    - ${rule}`));
    assert.match(problem?.message ?? "", message, rule);
    assert.equal(problem?.line, 8, rule);
  }
});

test("tokens with rights by pattern; the configuration keeps their digests only", () => {
  const text = listener(`access:
  auth_timeout_ms: 500
  auth_cache_ms: 60000
  tokens:
    - name: shop
      token: ${TOKEN}
      call: ["math::*", { match: "x", namespace: "shop-*" }]
      deny: [math::secret]
      register_functions: true
      trigger_types: [cron]
      namespaces: [shop]
      prefix: team
    - { name: all, token_sha256: ${"ab".repeat(32)}, call: all, trigger_types: all }`);
  assert.doesNotMatch(JSON.stringify(parseConfig(text)), new RegExp(TOKEN));
  const options = optionsOf(text);
  assert.deepEqual([options?.authTimeoutMs, options?.authCacheMs], [500, 60_000]);
  const found = findToken(options?.tokens ?? [], TOKEN);
  assert.equal(found?.name, "shop");
  assert.deepEqual(found?.rights, {
    call: [
      { kind: "pattern", namespace: "default", pattern: "math::*" },
      { kind: "pattern", namespace: "shop-*", pattern: "x" },
    ],
    deny: [{ kind: "pattern", namespace: "default", pattern: "math::secret" }],
    registerFunctions: true,
    registerTriggerTypes: false,
    triggerTypes: ["cron"],
    namespaces: ["shop"],
    context: {},
    prefix: "team",
  });
  assert.equal(options?.tokens?.[1]?.rights.call, "all");
});

test("tokens that are short, doubly given or not given are refused", () => {
  for (const [token, message] of [
    ["{ name: a, token: short }", /at least 16 characters/],
    ["{ name: a }", /either token or token_sha256/],
    [`{ name: a, token: ${TOKEN}, token_sha256: ${"a".repeat(64)} }`, /either token or token_sha256/],
    [`{ name: a, token: ${TOKEN}, may: [x] }`, /unknown key "may"/],
    [`{ name: a, token: ${TOKEN}, prefix: 'a"b' }`, /without quotes/],
  ] as const) {
    const [problem] = problemsOf(listener(`access:\n  tokens:\n    - ${token}`));
    assert.match(problem?.message ?? "", message, token);
  }
});

test("an empty list of tokens lets nobody in, rather than everybody", () => {
  assert.deepEqual(optionsOf(listener("access: {}")), { tokens: [] });
});

test("jwt: one kind of key, algorithms that fit it, the secret from the environment", async (t) => {
  const jwt = (keys: string): string =>
    listener(`access:\n  jwt:\n    rules: [{ claims: { a: 1 }, call: all }]\n${keys.replace(/^/gm, "    ")}`);
  const shared = jwt("secret_env: S\nalgorithms: [HS256]\nissuer: i");
  const options = optionsOf(shared, { S: "secret" });
  assert.deepEqual(options?.jwt?.key, { secret: "secret" });
  assert.equal(options?.tokens, undefined);
  assert.throws(() => optionsOf(shared), /variable S of access.jwt.secret_env is not set/);
  const directory = await mkdtemp(join(tmpdir(), "access-"));
  t.after(() => rm(directory, { recursive: true }));
  writeFileSync(join(directory, "key.pem"), "PEM");
  const file = join(directory, "config.yaml");
  const keyed = jwt("public_key_file: key.pem\nalgorithms: [ES256]");
  assert.deepEqual(optionsOf(keyed, {}, file)?.jwt?.key, { publicKeyPem: "PEM" });
  assert.throws(() => optionsOf(keyed, {}, "/nowhere/config.yaml"), /public_key_file cannot be read/);
  for (const [keys, message] of [
    ["algorithms: [HS256]", /one of secret_env, public_key_file, jwks_url/],
    ["secret_env: S\njwks_url: https://a.example/\nalgorithms: [HS256]", /one of secret_env/],
    ["public_key_file: k\nalgorithms: [HS256]", /algorithms for this kind of key/],
    ["secret_env: S\nalgorithms: [RS256]", /algorithms for this kind of key/],
    ["secret_env: S\nalgorithms: [none]", /HS256/],
    ["jwks_url: file:///etc/keys\nalgorithms: [ES256]", /URL/i],
  ] as const)
    assert.match(problemsOf(jwt(keys))[0]?.message ?? "", message, keys);
});

test("iii-http-functions and its security", () => {
  assert.equal(parseConfig("{}").http_functions, undefined);
  const read = parseConfig(
    "workers:\n  - name: iii-http-functions\n    config: { security: { url_allowlist: ['*.x'], require_https: false } }\n",
  );
  const { httpFunctions } = engineOptions(read, createLogger({ level: "silent" }));
  assert.deepEqual(httpFunctions?.security, {
    urlAllowlist: ["*.x"],
    blockPrivateIps: true,
    requireHttps: false,
  });
  const env = { API_KEY: "k", API_OTHER: "o", JWT_SECRET: "s" };
  const secretsOf = (security: string) => {
    const config = parseConfig(
      `workers: [{ name: iii-http-functions, config: { security: { ${security} } } }]`,
    );
    const usable = engineOptions(config, createLogger({ level: "silent" }), env).httpFunctions?.env;
    return { names: Object.keys(usable ?? {}), warnings: config.warnings.length };
  };
  assert.deepEqual(secretsOf(""), { names: Object.keys(env), warnings: 1 });
  assert.deepEqual(secretsOf("secrets: ['API_*']"), { names: ["API_KEY", "API_OTHER"], warnings: 0 });
  assert.deepEqual(secretsOf("secrets: []"), { names: [], warnings: 0 });
  assert.match(
    problemsOf("workers: [{ name: iii-http-functions, config: { security: { alow: [] } } }]")[0]?.message ??
      "",
    /unknown key "alow"/,
  );
  assert.match(
    problemsOf(
      "workers: [{ name: iii-http-functions, config: { security: { url_allowlist: ['[z-a]'] } } }]",
    )[0]?.message ?? "",
    /glob/,
  );
});

test("a digest in the file is the digest of the token", () => {
  const digest = createHash("sha256").update(TOKEN).digest("hex");
  const options = optionsOf(listener(`access:\n  tokens: [{ name: a, token_sha256: ${digest} }]`));
  assert.equal(findToken(options?.tokens ?? [], TOKEN)?.name, "a");
});
