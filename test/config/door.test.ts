// TLS, origins and exposure in config.yaml: files are judged where they are named, and wide doors are warned of.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../src/config/load.js";
import { ConfigError, type ConfigProblem, formatProblem } from "../../src/config/problem.js";
import { certificates, withoutOpenssl } from "../support/certificates.js";

function problemsOf(text: string, file: string): readonly ConfigProblem[] {
  try {
    parseConfig(text, { file });
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  return [];
}

function warningsOf(text: string, file?: string): string[] {
  return parseConfig(text, file === undefined ? {} : { file }).warnings.map((one) => formatProblem(one));
}

test("files of TLS are relative to the configuration, on the server block and on listeners", {
  skip: withoutOpenssl,
}, (t) => {
  const made = certificates(t);
  made.authority("ca");
  made.signed("ca", "server");
  const file = made.file("config.yaml");
  const tls = "{ cert: server.pem, key: server.key, ca: ca.pem }";
  const text = `server: { port: 0, tls: ${tls} }\nworkers:\n  - name: iii-worker-manager\n    config: { host: 127.0.0.1, port: 0, tls: { cert: server.pem, key: server.key } }\n`;
  const { listeners } = parseConfig(text, { file });
  const own = { certFile: made.file("server.pem"), keyFile: made.file("server.key") };
  assert.deepEqual(
    listeners.map((one) => one.tls),
    [{ ...own, caFile: made.file("ca.pem") }, own],
  );
});

test("each mistake in them has its place and says what would be right", { skip: withoutOpenssl }, (t) => {
  const made = certificates(t);
  made.authority("ca");
  made.signed("ca", "server");
  made.signed("ca", "other");
  made.encryptedKey("server", "open sesame");
  made.write("text.pem", "no certificate\n");
  made.write("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
  made.write("cut.key", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n");
  const cases: [tls: string, line: number, message: RegExp, hint: RegExp][] = [
    ["cert: absent.pem\n    key: server.key", 3, /absent\.pem cannot be read: ENOENT/, /readable file/],
    [
      "cert: text.pem\n    key: server.key",
      3,
      /text\.pem holds no certificate in PEM form/,
      /BEGIN CERTIFICATE/,
    ],
    ["cert: cut.pem\n    key: server.key", 3, /cut\.pem holds a certificate that cannot be read/, /again/],
    ["cert: server.pem\n    key: absent.key", 4, /absent\.key cannot be read/, /readable file/],
    ["cert: server.pem\n    key: server.pem", 4, /holds no private key in PEM form/, /PRIVATE KEY/],
    ["cert: server.pem\n    key: cut.key", 4, /cannot be read as a private key/, /again/],
    ["cert: server.pem\n    key: other.key", 4, /is not the key of the certificate/, /requested/],
    ["cert: server.pem\n    key: server.enc.key", 4, /is encrypted/, /passphrase/],
    [
      "cert: server.pem\n    key: server.enc.key\n    passphrase: wrong",
      4,
      /cannot be read as a private key/,
      /passphrase/,
    ],
    [
      "cert: server.pem\n    key: server.key\n    ca: absent.pem",
      5,
      /absent\.pem cannot be read/,
      /readable/,
    ],
    ["cert: server.pem\n    key: server.key\n    ca: server.pem", 5, /no authority/, /signs the clients/],
    [
      "cert: server.pem\n    key: server.key\n    client_certificate: required",
      5,
      /no authority is named/,
      /write ca/,
    ],
  ];
  for (const [tls, line, message, hint] of cases) {
    const problems = problemsOf(`server:\n  tls:\n    ${tls}\n`, made.file("config.yaml"));
    assert.equal(problems.length, 1, `${tls}\n${problems.map(formatProblem).join("\n")}`);
    assert.equal(problems[0]?.line, line, tls);
    assert.match(problems[0]?.message ?? "", message);
    assert.match(problems[0]?.hint ?? "", hint);
    assert.doesNotMatch(JSON.stringify(problems), /MIIB|wrong"|open sesame/, "no key material");
  }
  const right = "cert: server.pem\n    key: server.enc.key\n    passphrase: open sesame";
  assert.deepEqual(problemsOf(`server:\n  tls:\n    ${right}\n`, made.file("config.yaml")), []);
});

test("an expired certificate, or one of the future, is a warning in its place", {
  skip: withoutOpenssl,
}, (t) => {
  const made = certificates(t);
  made.authority("ca");
  made.signed("ca", "old", -1);
  const [warning = ""] = warningsOf(
    "server:\n  tls: { cert: old.pem, key: old.key }\n",
    made.file("config.yaml"),
  );
  assert.match(
    warning,
    /config\.yaml:2:16: the certificate .*CN=old in .*old\.pem expired on .*: clients refuse it/,
  );
});

test("access.certificates need tls.ca", () => {
  const text =
    "workers:\n  - name: iii-worker-manager\n    config:\n      access:\n        certificates: [{ name: a, common_name: b }]\n";
  const [problem] = problemsOf(text, "/x/config.yaml");
  assert.deepEqual([problem?.line, problem?.hint?.startsWith("write tls with ca")], [5, true]);
});

test("origins: what is none is refused in its place", () => {
  const [problem, ...more] = problemsOf(
    "server:\n  origins: [https://a.example, evil.example]\n",
    "/x/config.yaml",
  );
  assert.deepEqual([problem?.line, problem?.column, more.length], [2, 32, 0]);
  assert.match(problem?.message ?? "", /an origin, as in https:\/\/app\.example\.com/);
  const { listeners } = parseConfig("server: { origins: ['*', 'null', 'https://*.a.example:8443'] }");
  assert.deepEqual(listeners[0]?.origins, [
    "*",
    "null",
    { scheme: "https", host: "*.a.example", port: "8443" },
  ]);
});

const LISTENER = (config: string): string =>
  `workers:\n  - name: iii-worker-manager\n    config: { host: 0.0.0.0, port: 0, ${config} }\n`;
const TOKENS = "access: { tokens: [{ name: a, token: 0123456789abcdef }] }";

test("binding wider than this machine without TLS or without asking who comes names the risk and what to do", {
  skip: withoutOpenssl,
}, (t) => {
  const made = certificates(t);
  made.authority("ca");
  made.signed("ca", "server");
  const file = made.file("config.yaml");
  const tls = "tls: { cert: server.pem, key: server.key }";
  const mutual = "tls: { cert: server.pem, key: server.key, ca: ca.pem }";
  const open =
    /without TLS and without tokens: whoever reaches it can call and replace every function.*what passes can be read.*Write tls, and access\.tokens.*or bind 127\.0\.0\.1/;
  const [server = ""] = warningsOf("server: { host: 0.0.0.0 }", file);
  assert.match(server, /config\.yaml:1:9: listener server binds 0\.0\.0\.0:49134 /);
  assert.match(server, open);
  assert.match(warningsOf(LISTENER(""), file)[0] ?? "", open);
  assert.match(
    warningsOf(LISTENER(TOKENS), file)[0] ?? "",
    /without TLS: .*tokens included\. Write tls; or bind/,
  );
  assert.match(
    warningsOf(LISTENER(tls), file)[0] ?? "",
    /without tokens: whoever reaches it.*Write access\.tokens/,
  );
  assert.deepEqual(warningsOf(LISTENER(`${tls}, ${TOKENS}`), file), []);
  assert.deepEqual(warningsOf(LISTENER(mutual), file), []);
  assert.match(
    warningsOf(LISTENER(mutual.replace("}", ", client_certificate: optional }")), file)[0] ?? "",
    /without tokens/,
  );
});

test("the loopback interface is the default, and is no warning", () => {
  assert.deepEqual(
    parseConfig("{}").listeners.map(({ host }) => host),
    ["127.0.0.1"],
  );
  for (const host of ["127.0.0.1", "localhost", "'::1'"])
    assert.deepEqual(warningsOf(`server: { host: ${host} }`), []);
});
