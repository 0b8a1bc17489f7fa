// Which addresses are not the public internet: loopback, private, shared, link-local (cloud metadata), documentation, multicast, reserved; and
// every way to write an IPv4 address inside an IPv6 one, judged by the address inside.

import { BlockList, isIP } from "node:net";

const V4_RANGES = [
  ["0.0.0.0", 8], // this network
  ["10.0.0.0", 8],
  ["100.64.0.0", 10], // shared by carriers; also where clouds put metadata
  ["127.0.0.0", 8],
  ["169.254.0.0", 16], // link-local: metadata services
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.31.196.0", 24],
  ["192.52.193.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["192.175.48.0", 24],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const;

const V6_RANGES = [
  ["64:ff9b:1::", 48], // translated, for local use
  ["100::", 64],
  ["2001::", 23], // Teredo and other special assignments
  ["2001:db8::", 32],
  ["2002::", 16], // 6to4: an IPv4 address inside that routers may go to
  ["3fff::", 20],
  ["5f00::", 16],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
] as const;

const special = new BlockList();
for (const [net, bits] of V4_RANGES) special.addSubnet(net, bits, "ipv4");
for (const [net, bits] of V6_RANGES) special.addSubnet(net, bits, "ipv6");

/** Groups before the two that hold an IPv4 address. */
const EMBEDDED = [
  [0, 0, 0, 0, 0, 0], // IPv4-compatible; also :: and ::1
  [0, 0, 0, 0, 0, 0xffff], // IPv4-mapped
  [0, 0, 0, 0, 0xffff, 0], // IPv4-translated
  [0x64, 0xff9b, 0, 0, 0, 0], // NAT64
] as const;

/** Whether an address, as text, is none of the public internet. What is no address counts as one. */
export function isSpecialAddress(address: string): boolean {
  const bare = address.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  switch (isIP(bare)) {
    case 4:
      return special.check(bare, "ipv4");
    case 6:
      return isSpecialV6(bare);
    default:
      return true;
  }
}

function isSpecialV6(address: string): boolean {
  const groups = groupsOf(address);
  const holds = EMBEDDED.some((head) => head.every((group, at) => groups[at] === group));
  if (!holds) return special.check(address, "ipv6");
  const [high = 0, low = 0] = groups.slice(6);
  return special.check(`${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`, "ipv4");
}

/** The eight groups of an IPv6 address that is known to be one. */
function groupsOf(address: string): number[] {
  // WHATWG URLs spell every IPv6 address in one way: hexadecimal groups, one "::", no dotted tail
  const [head = "", tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split("::");
  const before = hexGroups(head);
  if (tail === undefined) return before;
  const after = hexGroups(tail);
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function hexGroups(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}
