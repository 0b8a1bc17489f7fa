// What only the machine can tell of a configuration: programs that exist, directories that are there, ports that are free.
//
// Checked before anything is touched by a start or a reload. Only workers that will be started are looked at: one that
// runs already has proved its program and holds its own port.
import { accessSync, constants, statSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, isAbsolute, resolve } from "node:path";
import type { WorkerSpec } from "./entries.js";
import type { Environment } from "./expand.js";
import type { OpenConfig } from "./load.js";

/**
 * Adds a problem for every worker of `names` that cannot be started here; throws ConfigError when there are any problems,
 * those of the reading included.
 * `freedPorts` are those of processes that are stopped before the new ones start.
 */
export async function checkMachine(
  open: OpenConfig,
  names: ReadonlySet<string>,
  env: Environment,
  freedPorts: ReadonlySet<number> | "any port" = new Set(),
): Promise<void> {
  for (const spec of open.config.workers) {
    if (!names.has(spec.name) || spec.replicas === 0) continue;
    if (!isDirectory(spec.cwd)) {
      open.problemAt(
        spec.name,
        "cwd",
        `there is no directory ${spec.cwd}`,
        "name a directory, relative to this file",
      );
    } else checkProgram(open, spec, env);
    if (freedPorts !== "any port") await checkPort(open, spec, freedPorts);
  }
  open.throwProblems();
}

function checkProgram(open: OpenConfig, spec: WorkerSpec, env: Environment): void {
  const [program = ""] = spec.command;
  const found = findProgram(program, spec.cwd, spec.env["PATH"] ?? env["PATH"] ?? "");
  if (found === "missing")
    open.problemAt(
      spec.name,
      "command",
      `there is no program ${JSON.stringify(program)}`,
      "write the path of a program, or a name found in PATH",
    );
  if (found === "locked")
    open.problemAt(
      spec.name,
      "command",
      `${JSON.stringify(program)} is not executable`,
      `make it executable, or name its interpreter before it`,
    );
}

async function checkPort(open: OpenConfig, spec: WorkerSpec, freed: ReadonlySet<number>): Promise<void> {
  const port = spec.ready.tcp;
  if (port === undefined || freed.has(port) || (await isFree(port))) return;
  open.problemAt(
    spec.name,
    "ready",
    `port ${port} is taken: somebody else's answer would pass for readiness`,
    "choose a free port, or end whoever listens there",
  );
}

/** Whether the program can be run, as execvp would look for it. */
function findProgram(program: string, cwd: string, searchPath: string): "found" | "locked" | "missing" {
  const candidates = program.includes("/")
    ? [resolve(cwd, program)]
    : searchPath
        .split(delimiter)
        .filter(isAbsolute)
        .map((directory) => resolve(directory, program));
  let best: "locked" | "missing" = "missing";
  for (const candidate of candidates) {
    const state = stateOf(candidate);
    if (state === "found") return state;
    if (state === "locked") best = state;
  }
  return best;
}

function stateOf(path: string): "found" | "locked" | "missing" {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return "missing";
  try {
    accessSync(path, constants.X_OK);
    return "found";
  } catch {
    return "locked"; // access(2) answers yes or no; which errno it was makes no difference here
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Whether 127.0.0.1:port can be bound right now. */
export function isFree(port: number, host = "127.0.0.1"): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => done(true)));
  });
}
