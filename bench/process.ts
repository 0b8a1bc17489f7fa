// The processes a cell is made of: routers (the engine or a control) on one core, load generators on the other.
//
// Pinned with `taskset` where it exists and there is more than one core; without it the rows still compare, less
// quietly. Every process is ended by the bench that started it, also when a cell fails.

import { type ChildProcess, execFileSync, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Reply } from "./load/messages.js";
import { undoAtExit } from "./undo.js";

/** dist/, where this file was compiled to. */
export const DIST = fileURLToPath(new URL("../", import.meta.url));

export type Core = "router" | "load";

const CORE = { router: 0, load: 1 } as const satisfies Record<Core, number>;

/** Longest a process may take to say that it is ready, a generator to answer. */
const READY_MS = 15_000;
const ANSWER_MS = 120_000;
/** Longest the engine may take to end politely. */
const END_MS = 10_000;

export const pinned: boolean = availableParallelism() > 1 && onPath("taskset");

export function onPath(command: string): boolean {
  try {
    execFileSync("which", [command], { stdio: "ignore" });
    return true;
  } catch {
    return false; // `which` says no by its exit code
  }
}

function pinnedCommand(core: Core | "any", command: string[]): [string, string[]] {
  const whole = pinned && core !== "any" ? ["taskset", "-c", String(CORE[core]), ...command] : command;
  return [whole[0] ?? "", whole.slice(1)];
}

function watched<Child extends ChildProcess>(child: Child): Child {
  child.once(
    "exit",
    undoAtExit(() => child.kill("SIGKILL")),
  );
  return child;
}

/** One that does not go when it is asked to is killed: a bench that waits for ever measures nothing. */
async function ended(child: ChildProcess, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), END_MS);
  await exit;
  clearTimeout(timer);
}

/** A temporary folder, and what removes it again. */
export function temporaryFolder(prefix: string): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const forget = undoAtExit(remove);
  return {
    folder,
    remove: () => {
      forget();
      remove();
    },
  };
}

/** A free loopback port; another process could take it before we do, which then fails loudly. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  server.close();
  await once(server, "close");
  return address.port;
}

/** Whatever routes: its port, and the pid whose CPU is counted. */
export interface Router {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** Garbage collections so far; only of an engine started with {@link COUNT_COLLECTIONS}. */
  collections(): number;
  stop(): Promise<void>;
}

/**
 * Options that have V8 write a line for each garbage collection, which {@link Router.collections} counts. The young
 * generation has a fixed size: V8 lets it grow from 1 to 16 MiB as it sees fit, and the count would follow that.
 */
export const COUNT_COLLECTIONS = ["--trace-gc", "--min-semi-space-size=16", "--max-semi-space-size=16"];
const COLLECTION = /\b(?:Scavenge|Mark-Compact|Minor Mark-Compact)\b/g;

export interface SpawnOptions {
  /** Options of Node itself, such as `--cpu-prof`. */
  nodeOptions?: string[];
  /** Not pinned: where all processes of a cell share all cores. */
  anyCore?: boolean;
  /** The engine has one listener, with access rules, and this token is what they let in. */
  token?: string;
  /** The block `limits` in place of the bench's own, which raises two bounds; "" = the engine's defaults. */
  limits?: string;
  /** More of the engine's configuration, beside the blocks it has here. */
  more?: string;
  /** Compiled tree to run; by default this one. */
  dist?: string;
}

/** A program of bench/control/, which prints its port. */
export async function startControl(
  name: string,
  args: string[] = [],
  options: SpawnOptions = {},
): Promise<Router> {
  const script = join(DIST, "bench/control", `${name}.js`);
  const [command, rest] = pinnedCommand(options.anyCore ? "any" : "router", [
    process.execPath,
    ...(options.nodeOptions ?? []),
    script,
    ...args,
  ]);
  const child = watched(spawn(command, rest, { stdio: ["ignore", "pipe", "inherit"] }));
  const line = await firstLine(child, name);
  const { port }: { port: number } = JSON.parse(line);
  return { name, port, pid: pidOf(child), collections: () => 0, stop: () => ended(child) };
}

/** The engine as a user starts it, with a configuration that names a port and raises two bounds. */
export async function startEngine(options: SpawnOptions = {}): Promise<Router> {
  for (let attempt = 1; ; attempt++) {
    const engine = await startEngineOn(await freePort(), options);
    if (engine !== undefined) return engine;
    if (attempt === START_ATTEMPTS)
      throw new Error(`the engine found its port taken ${attempt} times in a row`);
  }
}

/** Between finding a free port and listening on it somebody else may take it: another router of the same cell, say. */
const START_ATTEMPTS = 5;
const PORT_TAKEN = /port is taken/;

/** Undefined when the port was taken meanwhile. */
async function startEngineOn(port: number, options: SpawnOptions): Promise<Router | undefined> {
  const { folder, remove } = temporaryFolder("tercet-bench-");
  const config = join(folder, "config.yaml");
  const listener = options.token === undefined ? openListener(port) : restrictedListener(port, options.token);
  writeFileSync(config, listener + (options.limits ?? LIMITS) + SETTINGS + (options.more ?? ""));
  const script = join(options.dist ?? DIST, "src/main.js");
  const [command, rest] = pinnedCommand(options.anyCore ? "any" : "router", [
    process.execPath,
    ...(options.nodeOptions ?? []),
    script,
    "--config",
    config,
  ]);
  const child = watched(spawn(command, rest, { stdio: ["ignore", "pipe", "pipe"], cwd: folder }));
  const log = collect(child);
  let collections = 0;
  child.stdout?.on("data", (chunk: Buffer) => {
    collections += chunk.toString().match(COLLECTION)?.length ?? 0;
  });
  const stop = async () => {
    await ended(child, "SIGTERM");
    remove();
  };
  try {
    await healthy(port, child, log);
  } catch (error) {
    await stop();
    if (PORT_TAKEN.test(log())) return undefined;
    throw error;
  }
  return { name: "engine", port, pid: pidOf(child), collections: () => collections, stop };
}

/** Waits until the engine, and nobody else, answers on its port. */
async function healthy(port: number, child: ChildProcess, log: () => string): Promise<void> {
  const giveUpMs = Date.now() + READY_MS;
  while (!(await answersHealth(port))) {
    if (child.exitCode !== null) throw new Error(`the engine ended with ${child.exitCode}:\n${log()}`);
    if (Date.now() > giveUpMs) throw new Error(`the engine is not ready after ${READY_MS} ms:\n${log()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function answersHealth(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`);
    return response.ok && (await response.text()).includes('"status":"ok"');
  } catch {
    return false; // nobody listens yet, or something that is not the engine does
  }
}

function openListener(port: number): string {
  return `server:\n  host: 127.0.0.1\n  port: ${port}\n`;
}

/** Rights as an operator would write them: patterns, and one that is taken away. */
function restrictedListener(port: number, token: string): string {
  return `workers:
  - name: iii-worker-manager
    config:
      host: 127.0.0.1
      port: ${port}
      access:
        tokens:
          - name: bench
            token: "${token}"
            call: ["reports::*", "bench::*"]
            deny: ["bench::secret-*"]
            register_functions: true
`;
}

/**
 * Bounds are raised where a cell goes beyond what a healthy installation allows: 1,024 calls of 64 KiB outstanding
 * are 64 MiB towards one worker. The shared pattern is for owners on the JSON wire, who cannot say it themselves.
 */
const LIMITS = `limits:
  outbox_soft_bytes: ${256 << 20}
  outbox_hard_bytes: ${1024 * 1024 * 1024}
`;

const SETTINGS = `functions:
  - match: "bench::shared-*"
    share: round_robin
log:
  level: warn
`;

/** `nats-server` from the PATH; it picks a port and says which. */
export async function startNats(): Promise<Router> {
  const [command, rest] = pinnedCommand("router", ["nats-server", "-a", "127.0.0.1", "-p", "-1"]);
  const child = watched(spawn(command, rest, { stdio: ["ignore", "ignore", "pipe"] }));
  const port = await natsPort(child);
  return { name: "nats", port, pid: pidOf(child), collections: () => 0, stop: () => ended(child) };
}

/** Goes on reading afterwards: a process that writes to a closed pipe dies of it. */
function natsPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.once("exit", () => reject(new Error(`nats-server ended before it was ready:\n${text}`)));
    child.stderr?.on("data", (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-4096);
      const port = /client connections on [\d.]+:(\d+)\n.*Server is ready/s.exec(text)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
  });
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error("the process did not start");
  return child.pid;
}

function firstLine(child: ChildProcess, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.once("exit", () => reject(new Error(`${name} ended before it said its port`)));
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const end = text.indexOf("\n");
      if (end !== -1) resolve(text.slice(0, end));
    });
  });
}

/** The last of what a process wrote, for the message when it fails. */
function collect(child: ChildProcess): () => string {
  let text = "";
  const add = (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-4096);
  };
  child.stdout?.on("data", add);
  child.stderr?.on("data", add);
  return () => text;
}

/** A forked load program that takes requests one at a time. */
export class LoadProcess {
  readonly #child: ChildProcess;

  constructor(script = "generator", core: Core | "any" = "load") {
    const path = join(DIST, "bench/load", `${script}.js`);
    const [command, rest] = pinnedCommand(core, [process.execPath]);
    this.#child = watched(fork(path, [], { execPath: command, execArgv: rest, serialization: "advanced" }));
  }

  get pid(): number {
    return pidOf(this.#child);
  }

  async ask<Answer = void>(request: { kind: string; [field: string]: unknown }): Promise<Answer> {
    const reply = this.#reply();
    this.#child.send(request);
    const answer = await reply;
    if (answer.kind === "failed") throw new Error(`load generator: ${answer.why}`);
    // The program answers each kind of request with its own report; the caller names it.
    return answer.report as Answer;
  }

  #reply(): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no answer from the load generator in ${ANSWER_MS} ms`)),
        ANSWER_MS,
      );
      const onMessage = (reply: Reply) => {
        clearTimeout(timer);
        this.#child.off("exit", onExit);
        resolve(reply);
      };
      const onExit = (code: number | null) => {
        clearTimeout(timer);
        reject(new Error(`the load generator ended with ${code}`));
      };
      this.#child.once("message", onMessage).once("exit", onExit);
    });
  }

  stop(): Promise<void> {
    return ended(this.#child);
  }
}
