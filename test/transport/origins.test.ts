// Which pages may connect: rules as they are written, and origins as browsers send them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type OriginRule, Origins, readOriginRule } from "../../src/transport/origins.js";

function origins(...texts: string[]): Origins {
  return new Origins(
    texts.map((text) => readOriginRule(text)).filter((rule): rule is OriginRule => rule !== null),
  );
}

test("without rules pages of this machine may connect, and no others", () => {
  const own = new Origins(null);
  for (const origin of [
    "http://localhost",
    "http://localhost:3000",
    "https://localhost:8443",
    "http://LOCALHOST:80",
    "http://app.localhost:5173",
    "http://127.0.0.1:8080",
    "http://127.9.9.9",
    "http://[::1]:3000",
  ])
    assert.ok(own.permits(origin), origin);
  for (const origin of [
    "https://evil.example",
    "http://evil.example:49134", // a name that was rebound to this machine
    "null",
    "file://",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "http://evil.example@localhost",
    "http://localhost:3000/path",
    "http://localhost:3000 http://evil.example",
    "http://[::2]",
    "http://192.168.1.5",
    "chrome-extension://localhost",
    "localhost",
    "http://",
    "",
    "http://127.1",
    "http://2130706433",
  ])
    assert.ok(!own.permits(origin), origin);
});

test("rules: exact origins with usual ports, whole labels, any port", () => {
  const some = origins(
    "https://app.example.com",
    "https://*.example.org",
    "http://localhost:*",
    "http://[::1]:80",
  );
  for (const origin of [
    "https://app.example.com",
    "https://APP.example.com",
    "https://app.example.com:443",
    "https://a.example.org",
    "https://a.b.example.org",
    "http://localhost",
    "http://localhost:1",
    "http://[::1]",
  ])
    assert.ok(some.permits(origin), origin);
  for (const origin of [
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://example.org",
    "https://notexample.org",
    "https://a.example.org:8443",
    "https://localhost:1",
    "http://127.0.0.1",
    "null",
  ])
    assert.ok(!some.permits(origin), origin);
  assert.ok(origins("*").permits("https://evil.example"));
  assert.ok(origins("null").permits("null"));
  assert.ok(!origins("null").permits("http://localhost"));
  assert.ok(!new Origins([]).permits("http://localhost"), "an empty list lets no page in");
});

test("what is no rule", () => {
  for (const text of [
    "",
    "app.example.com",
    "https://",
    "https://a/b",
    "https://*",
    "https://a*.b",
    "https://a.*.b",
    "https://a:x",
    "://a",
    "**",
  ])
    assert.equal(readOriginRule(text), null, text);
});
