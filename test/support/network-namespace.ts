// A host of its own for a test, as a container would be: a network namespace, joined to this one by a cable of two virtual ends.
//
// The addresses are the test's own, a /30 of a range that is set aside for tests of networks, and are gone with the test.
// Making one needs root and `ip`; where it cannot be made, the reason comes back as a sentence for tests to skip with.

import { execFile } from "node:child_process";
import { networkInterfaces } from "node:os";
import type { TestContext } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);
const NETWORKS = 1 << 15; // /30s of 198.18.0.0/15
const IP_MS_MAX = 10_000;

export interface Host {
  /** Of this end of the cable: where an engine listens. */
  readonly near: string;
  /** Of the other end. */
  readonly far: string;
  /** What runs a program over there. */
  readonly command: readonly string[];
}

export async function hostFor(t: TestContext): Promise<Host | { readonly missing: string }> {
  const network = freeNetwork();
  const near = address(network, 1);
  const far = address(network, 2);
  const name = `tercet-${network}`;
  const [inside, outside] = [`tc${network}b`, `tc${network}a`];
  t.after(() => ip("netns", "del", name).catch(() => undefined)); // its end of the cable takes ours along
  try {
    await ip("netns", "add", name);
    await ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name);
    await ip("addr", "add", `${near}/30`, "dev", outside);
    await ip("link", "set", outside, "up");
    await ip("-n", name, "addr", "add", `${far}/30`, "dev", inside);
    await ip("-n", name, "link", "set", inside, "up");
  } catch (error) {
    return { missing: `no network namespace: ${error instanceof Error ? error.message.trim() : error}` };
  }
  return { near, far, command: ["ip", "netns", "exec", name] };
}

async function ip(...args: string[]): Promise<void> {
  await run("ip", args, { timeout: IP_MS_MAX });
}

function address(network: number, host: number): string {
  const low = network * 4 + host;
  return `198.${18 + (low >> 16)}.${(low >> 8) & 255}.${low & 255}`;
}

/** One that no interface here has an address of. */
function freeNetwork(): number {
  const taken = new Set(
    Object.values(networkInterfaces()).flatMap((all) => all?.map((one) => one.address) ?? []),
  );
  for (let network = process.pid % NETWORKS; ; network = (network + 1) % NETWORKS)
    if (!taken.has(address(network, 1))) return network;
}
