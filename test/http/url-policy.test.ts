// The order of checks of an address, and what each says; globs of hosts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { globOf } from "../../src/http/glob.js";
import { HTTP_SECURITY, type HttpSecurity, type Resolve, UrlPolicy } from "../../src/http/url-policy.js";

const PUBLIC: Resolve = async () => [{ address: "1.1.1.1", family: 4 }];

async function verdict(url: string, security: Partial<HttpSecurity> = {}, resolve = PUBLIC): Promise<string> {
  const policy = new UrlPolicy({ ...HTTP_SECURITY, ...security }, resolve);
  return policy.check(url).then(
    () => "allowed",
    (error: { code: string; message: string }) => {
      assert.equal(error.code, "url_validation_failed");
      return error.message;
    },
  );
}

test("check() says what is wrong, in the order of the protocol", async () => {
  assert.equal(await verdict("https://a.example/x"), "allowed");
  assert.equal(await verdict("not a url"), "Invalid URL");
  assert.equal(await verdict("http://a.example"), "HTTPS is required");
  assert.equal(await verdict("http://a.example", { requireHttps: false }), "allowed");
  assert.equal(await verdict("ftp://a.example", { requireHttps: false }), "Invalid URL");
  assert.equal(await verdict("file:///etc/passwd", { requireHttps: false }), "Invalid URL");
  assert.match(await verdict("https://user:secret@a.example"), /Invalid URL/);
  assert.equal(await verdict("https://b.example", { urlAllowlist: ["a.*"] }), "URL not in allowlist");
  assert.equal(await verdict("https://a.example", { urlAllowlist: ["a.*"] }), "allowed");
});

test("check() refuses special addresses, however they are written", async () => {
  for (const host of [
    "127.0.0.1",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "[::1]",
    "[::ffff:169.254.169.254]",
    "100.100.100.200",
  ])
    assert.equal(await verdict(`https://${host}/`), "Private IP blocked", host);
  assert.equal(await verdict("https://127.0.0.1/", { blockPrivateIps: false }), "allowed");
});

test("check() refuses a name of which any address is special, and one that has none", async () => {
  const mixed: Resolve = async () => [
    { address: "1.1.1.1", family: 4 },
    { address: "fd00::1", family: 6 },
  ];
  assert.equal(await verdict("https://mixed.example", {}, mixed), "Private IP blocked");
  assert.equal(await verdict("https://none.example", {}, async () => []), "DNS lookup failed");
  const fails: Resolve = () => Promise.reject(new Error("ENOTFOUND"));
  assert.equal(await verdict("https://fails.example", {}, fails), "DNS lookup failed");
});

test("globOf() matches whole names by *, ? and sets", () => {
  const matches = (glob: string, text: string) => globOf(glob).test(text);
  assert.ok(matches("*.example.com", "a.b.example.com"));
  assert.ok(!matches("*.example.com", "example.com"));
  assert.ok(!matches("a.example.com", "aXexample.com"), "a dot is a dot");
  assert.ok(matches("api-?.x", "api-1.x") && !matches("api-?.x", "api-12.x"));
  assert.ok(matches("[ab].x", "b.x") && !matches("[!ab].x", "b.x"));
  assert.ok(!matches("a.x", "a.x.evil"));
});
