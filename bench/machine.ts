// What a run was made on: processor, kernel, Node, the versions of what is compared. No names of hosts, no paths.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { onPath, pinned } from "./process.js";
import { dim } from "./terminal.js";

export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  kernel: string;
  node: string;
  /** Of the packages that controls and clients are made of, and of NATS where it is. */
  versions: Record<string, string>;
  /** Router and load each on a core of their own. */
  pinned: boolean;
}

const PACKAGES = ["uWebSockets.js", "ws", "msgpackr", "tinybench"];

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: readFileSync("/proc/sys/kernel/osrelease", "utf8").trim(),
    node: process.version,
    versions: { ...Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])), ...natsVersion() },
    pinned,
  };
}

/** With the name of the package that really stands there, where it is another's. */
function versionOf(name: string): string {
  const manifest: { name: string; version: string } = JSON.parse(
    readFileSync(`node_modules/${name}/package.json`, "utf8"),
  );
  return manifest.name === name ? manifest.version : `${manifest.name} ${manifest.version}`;
}

function natsVersion(): Record<string, string> {
  if (!onPath("nats-server")) return {};
  const said = execFileSync("nats-server", ["--version"], { encoding: "utf8" });
  return { "nats-server": /v?(\d[\d.]*)/.exec(said)?.[1] ?? said.trim() };
}

/** One line for people: `AMD EPYC, 2 cores, Linux 6.1 · Node v20 · …`. */
export function machineText({ cpu, cores, memoryGiB, kernel, node, versions, pinned }: Machine): string {
  const pins = pinned ? "router on core 0, load on core 1" : "not pinned: figures are noisier";
  const others = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${cpu}, ${cores} cores, ${memoryGiB} GiB, Linux ${kernel}`,
    `Node ${node}`,
    others.join(", "),
    pins,
  ].join(" · ");
}

export function heading(where: Machine): string {
  return dim(machineText(where));
}

export function revision(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8", stdio: "pipe" }).trim();
  } catch {
    return "unknown"; // not a git checkout: an installed package can be measured too
  }
}
