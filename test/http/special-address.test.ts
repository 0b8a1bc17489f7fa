// Which addresses are none of the public internet, in every spelling that reaches them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isSpecialAddress } from "../../src/http/special-address.js";

const SPECIAL =
  `0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.1.2.3 169.254.169.254
172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1
239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:a9fe:a9fe ::ffff:0:10.0.0.1
64:ff9b::a9fe:a9fe 64:ff9b::10.0.0.1 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1::1 2002::1 3fff::1 fc00::1 fd12:3456::1
fe80::1 fe80::1%eth0 fec0::1 ff02::1 [::1] [fe80::1]`.split(/\s+/);

const PUBLIC =
  `1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 192.167.255.255 193.0.0.1
198.17.255.255 198.20.0.0 223.255.255.255 2606:4700::1111 2a00:1450::1 ::ffff:8.8.8.8 64:ff9b::808:808 [2606:4700::1111]`.split(
    /\s+/,
  );

test("isSpecialAddress() knows every special range, also inside IPv6", () => {
  for (const address of SPECIAL) assert.equal(isSpecialAddress(address), true, address);
});

test("isSpecialAddress() lets the public internet through, up to the edges of the ranges", () => {
  for (const address of PUBLIC) assert.equal(isSpecialAddress(address), false, address);
});

test("isSpecialAddress() takes what is no address for special", () => {
  for (const text of ["", "localhost", "1.2.3", "1.2.3.4.5", "0x7f000001", "::g", "999.1.1.1"])
    assert.equal(isSpecialAddress(text), true, text);
});
