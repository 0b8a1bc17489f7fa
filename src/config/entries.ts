// From the entries of `workers:` and `modules:` to what the engine does with them: listeners and processes.
//
// An entry of the reference's shape keeps its meaning: `iii-worker-manager` is a listener, `iii-exec` a command,
// the always-on modules are nothing to do. Everything else needs a `command`. What this engine does not have is
// refused with a sentence; nothing is ignored in silence. Positions are the reporter's business.
import { createHash } from "node:crypto";
import { type Door, readDoor } from "./door.js";
import { LIMITS } from "./limits.js";
import {
  type HttpFunctionsConfig,
  httpFunctionsSchema,
  type ListenerRules,
  listenerSchema,
  type ObservabilityConfig,
  observabilitySchema,
} from "./listener-schema.js";
import type { EntryFile, ReadyRules, RestartRules, WatchRules } from "./schema.js";
import { type CONDITIONS, execSchema, readyRules, restartRules, watchRules } from "./schema.js";
import { readBySchema, type SchemaIssue } from "./schema-issues.js";

export interface Listener extends Door {
  /** The entry's name, `server` for the one of the `server:` block. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly handshake_timeout_ms: number;
  /** Absent: whoever reaches it may do everything. Tokens are kept as digests. */
  readonly rules?: ListenerRules;
}

export type Condition = (typeof CONDITIONS)[number];

/** One declared worker, complete: what the supervisor needs to start, watch and stop its processes. */
export interface WorkerSpec {
  readonly name: string;
  readonly command: readonly string[];
  readonly cwd: string;
  /** What is set on top of the inherited variables. */
  readonly env: Readonly<Record<string, string>>;
  readonly inherit_env: readonly string[];
  readonly namespace: string | undefined;
  readonly replicas: number;
  readonly depends_on: readonly { readonly name: string; readonly until: Condition }[];
  readonly restart: RestartRules;
  readonly ready: ReadyRules;
  readonly liveness: EntryFile["liveness"];
  readonly stop: EntryFile["stop"];
  readonly limits: EntryFile["limits"];
  readonly watch: WatchRules | undefined;
  readonly log: EntryFile["log"];
}

export type Path = readonly (string | number)[];

/** Where findings go; `path` leads to the value in the file. */
export interface Reporter {
  problem(path: Path, message: string, hint?: string): void;
  warning(path: Path, message: string): void;
}

/** How paths of the file become paths of the machine, and files of variables are read. */
export interface Surroundings {
  resolve(path: string): string;
  /** The variables of an env file, or a sentence about why it cannot be read. */
  readEnvFile(path: string): Record<string, string> | string;
}

export interface PlacedEntry {
  readonly path: Path;
  readonly entry: EntryFile;
}

export interface Classified {
  readonly listeners: Listener[];
  httpFunctions?: HttpFunctionsConfig;
  observability?: ObservabilityConfig;
  readonly workers: { readonly path: Path; readonly spec: WorkerSpec }[];
}

/** Variables every process receives unless `inherit_env` says otherwise: what programs need to find their way, no secret. */
const SAFE_ENV = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "TERM",
  "TMPDIR",
  "TZ",
  "LANG",
  "LC_ALL",
] as const;
/** Set by the supervisor for every process; an entry may not set them. */
const RESERVED_ENV = [
  "III_URL",
  "III_NAMESPACE",
  "III_WORKER_NAME",
  "III_WORKER_CONFIG",
  "III_ENGINE_PID",
  "III_SUPERVISION",
] as const;

const LISTENER = "iii-worker-manager";
const EXEC = "iii-exec";
const HTTP_FUNCTIONS = "iii-http-functions";
const OBSERVABILITY = "iii-observability";
const ALWAYS_ON = ["iii-engine-functions", "configuration", "iii-telemetry", "iii-worker-ops"];
const NOT_HERE = [
  "iii-http",
  "iii-stream",
  "iii-state",
  "iii-cron",
  "iii-pubsub",
  "iii-queue",
  "iii-bridge",
  "iii-sandbox",
];

/** Sorts the entries; `handshakeMs` is the default of listeners that do not set their own. */
export function classify(
  entries: readonly PlacedEntry[],
  handshakeMs: number,
  around: Surroundings,
  report: Reporter,
): Classified {
  const result: Classified = { listeners: [], workers: [] };
  const counts = new Map<string, number>();
  for (const placed of entries) {
    const { name } = placed.entry;
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    const unique = count === 0 ? name : `${name}#${count}`;
    if (name === OBSERVABILITY) addObservability(placed, result, report);
    else if (name === HTTP_FUNCTIONS) addHttpFunctions(placed, result, report);
    else if (ALWAYS_ON.includes(name)) noteAlwaysOn(placed, report);
    else if (name === LISTENER) addListener(placed, unique, handshakeMs, around, result, report);
    else if (name === EXEC) addExec(placed, unique, around, result, report);
    else if (isRefused(placed, count, report)) continue;
    else addWorker(placed, around, result, report);
  }
  return result;
}

function noteAlwaysOn({ path, entry }: PlacedEntry, report: Reporter): void {
  if (entry.config === undefined || entry.config === null) return;
  report.warning([...path, "config"], `${entry.name} is no module of its own here: its config has no effect`);
}

function addListener(
  { path, entry }: PlacedEntry,
  name: string,
  handshakeMs: number,
  around: Surroundings,
  result: Classified,
  report: Reporter,
): void {
  if (entry.image !== undefined)
    report.problem([...path, "image"], `the listener ${LISTENER} cannot have an image`, "remove the key");
  const read = readBySchema(listenerSchema, entry.config ?? {});
  if ("issues" in read) {
    passOn(read.issues, [...path, "config"], report);
    return;
  }
  if (read.value.host === undefined) {
    report.warning(
      path,
      `listener ${name} names no host: it binds 127.0.0.1, not every interface; write config.host: 0.0.0.0 for that`,
    );
  }
  const { host = "127.0.0.1", port, handshake_timeout_ms = handshakeMs } = read.value;
  const rules = rulesOf(read.value);
  if ((rules?.access?.certificates.length ?? 0) > 0 && read.value.tls?.ca === undefined)
    report.problem(
      [...path, "config", "access", "certificates"],
      "access.certificates without tls.ca: no client shows a certificate here",
      "write tls with ca, the authorities that sign the clients' certificates",
    );
  result.listeners.push({
    name,
    host,
    port,
    handshake_timeout_ms,
    ...readDoor([...path, "config"], read.value, around, report),
    ...(rules === undefined ? {} : { rules }),
  });
}

/** Undefined when nothing of it is written. A token is kept as its digest: nobody needs more to know it. */
function rulesOf({ rbac, middleware_function_id, access }: ListenerRules): ListenerRules | undefined {
  if (rbac == null && middleware_function_id == null && access === undefined) return undefined;
  const tokens = access?.tokens.map(({ token, ...rest }) =>
    token === undefined
      ? rest
      : { ...rest, token_sha256: createHash("sha256").update(token, "utf8").digest("hex") },
  );
  return {
    rbac,
    middleware_function_id,
    access: access === undefined ? undefined : { ...access, tokens: tokens ?? [] },
  };
}

function addHttpFunctions({ path, entry }: PlacedEntry, result: Classified, report: Reporter): void {
  const read = readBySchema(httpFunctionsSchema, entry.config ?? {});
  if ("issues" in read) passOn(read.issues, [...path, "config"], report);
  else {
    result.httpFunctions = read.value;
    if (read.value.security.secrets === undefined)
      report.warning(
        path,
        `${entry.name} lets workers send any variable of the engine's environment, as a secret, to a host they choose; write config.security.secrets: the names, or patterns, of those they may use`,
      );
  }
}

function addObservability({ path, entry }: PlacedEntry, result: Classified, report: Reporter): void {
  const read = readBySchema(observabilitySchema, entry.config ?? {});
  if ("issues" in read) return passOn(read.issues, [...path, "config"], report);
  const { otlp_endpoint, otlp_headers, ...others } = read.value;
  result.observability = { otlp_endpoint, otlp_headers };
  const [unused] = Object.keys(others);
  if (unused !== undefined)
    report.warning(
      [...path, "config", unused],
      `${entry.name} has otlp_endpoint and otlp_headers here: ${unused} has no effect`,
    );
}

function addExec(
  { path, entry }: PlacedEntry,
  name: string,
  around: Surroundings,
  result: Classified,
  report: Reporter,
): void {
  const read = readBySchema(execSchema, entry.config ?? {});
  if ("issues" in read) {
    passOn(read.issues, [...path, "config"], report);
    return;
  }
  const { exec, watch } = read.value;
  const written: EntryFile = {
    ...entry,
    command: pipeline(exec),
    ready: entry.ready ?? "started",
    restart: entry.restart ?? "on-failure",
    watch: entry.watch ?? watch,
  };
  result.workers.push({ path, spec: specOf(path, { ...written, config: undefined }, name, around, report) });
}

/** All steps but the last must succeed; the last one stays. */
function pipeline(steps: readonly string[]): string[] {
  const quoted = steps.map((step) => `/bin/sh -c '${step.replaceAll("'", "'\\''")}'`);
  const last = quoted.pop();
  return ["/bin/sh", "-c", [...quoted, `exec ${last}`].join(" && ")];
}

function isRefused({ path, entry }: PlacedEntry, count: number, report: Reporter): boolean {
  const before = { refused: false };
  const refuse = (key: string, message: string, hint: string): void => {
    before.refused = true;
    report.problem([...path, key], message, hint);
  };
  if (entry.image !== undefined)
    refuse(
      "image",
      "this engine does not run container images",
      "run it with your container runtime and let it connect",
    );
  else if (NOT_HERE.includes(entry.name))
    refuse(
      "name",
      `this engine has no built-in ${entry.name}`,
      "start a worker that offers the same functions, with a command, and let it connect",
    );
  else if (entry.command === undefined)
    refuse(
      "name",
      `worker ${JSON.stringify(entry.name)} has no command`,
      entry.worker_path === undefined
        ? "write the program to start, for example command: [node, worker.js]"
        : "write command and cwd instead of worker_path",
    );
  if (!isValidName(entry.name))
    refuse(
      "name",
      `${JSON.stringify(entry.name)} cannot be the name of a worker`,
      `use at most ${LIMITS.nameCharactersMax} letters, digits, "-", "_" and "."; no leading dot, no ".."`,
    );
  if (count > 0 && entry.command !== undefined)
    refuse(
      "name",
      `a second worker is named ${JSON.stringify(entry.name)}`,
      "give it another name, or use replicas for several processes of one command",
    );
  return before.refused;
}

function isValidName(name: string): boolean {
  return (
    /^[A-Za-z0-9_-][A-Za-z0-9_.-]*$/.test(name) &&
    !name.includes("..") &&
    name.length <= LIMITS.nameCharactersMax
  );
}

function addWorker(
  { path, entry }: PlacedEntry,
  around: Surroundings,
  result: Classified,
  report: Reporter,
): void {
  if (entry.worker_path !== undefined)
    report.problem([...path, "worker_path"], "worker_path is not used beside command", "write cwd instead");
  result.workers.push({ path, spec: specOf(path, entry, entry.name, around, report) });
}

function specOf(
  path: Path,
  entry: EntryFile,
  name: string,
  around: Surroundings,
  report: Reporter,
): WorkerSpec {
  const { command = [], log } = entry;
  checkReady(path, entry, report);
  if (entry.namespace?.trim() === "")
    report.problem(
      [...path, "namespace"],
      "a namespace cannot be blank",
      "write a name, or remove the key for the namespace default",
    );
  return {
    name,
    command: typeof command === "string" ? ["/bin/sh", "-c", command] : command,
    cwd: around.resolve(entry.cwd ?? "."),
    env: environmentOf(path, entry, around, report),
    inherit_env: entry.inherit_env ?? [...SAFE_ENV],
    namespace: entry.namespace,
    replicas: entry.replicas,
    depends_on: dependencies(entry.depends_on),
    restart: restartRules(entry.restart),
    ready: readyRules(entry.ready),
    liveness: entry.liveness,
    stop: entry.stop,
    limits: entry.limits,
    watch: watchRules(entry.watch),
    log: log.file === undefined ? log : { ...log, file: around.resolve(log.file) },
  };
}

function checkReady(path: Path, entry: EntryFile, report: Reporter): void {
  if (typeof entry.ready !== "object") return;
  const { log, tcp, call } = entry.ready;
  const named = [log, tcp, call].filter((each) => each !== undefined).length;
  if (named > 1)
    report.problem(
      [...path, "ready"],
      "more than one of log, tcp and call",
      "keep the one that tells that the worker can serve",
    );
  if (log === undefined) return;
  try {
    new RegExp(log, "u");
  } catch (error) {
    report.problem(
      [...path, "ready", "log"],
      error instanceof Error ? error.message : String(error),
      "write a JavaScript regular expression",
    );
  }
}

function environmentOf(
  path: Path,
  entry: EntryFile,
  around: Surroundings,
  report: Reporter,
): Record<string, string> {
  const env: Record<string, string> = {};
  const files = entry.env_file === undefined ? [] : [entry.env_file].flat();
  for (const file of files) {
    const read = around.readEnvFile(around.resolve(file));
    if (typeof read === "string")
      report.problem([...path, "env_file"], read, "name a readable file of NAME=value lines");
    else Object.assign(env, read);
  }
  for (const [name, value] of Object.entries(entry.env ?? {})) env[name] = String(value);
  for (const name of RESERVED_ENV) {
    if (name in env)
      report.problem(
        [...path, "env"],
        `${name} is set by the engine for every worker`,
        "remove it; name and namespace of a worker are keys of its entry",
      );
  }
  if (entry.config !== undefined && entry.config !== null)
    env["III_WORKER_CONFIG"] = settingsText(path, entry.config, report);
  return env;
}

function settingsText(path: Path, settings: unknown, report: Reporter): string {
  const text = JSON.stringify(settings);
  if (Buffer.byteLength(text) > LIMITS.workerConfigBytesMax)
    report.problem(
      [...path, "config"],
      `the settings are longer than ${LIMITS.workerConfigBytesMax} bytes`,
      "put them in a file and name it here",
    );
  return text;
}

function dependencies(written: EntryFile["depends_on"]): WorkerSpec["depends_on"] {
  if (written === undefined) return [];
  if (Array.isArray(written)) return written.map((name) => ({ name, until: "ready" }));
  return Object.entries(written).map(([name, until]) => ({ name, until }));
}

function passOn(issues: readonly SchemaIssue[], path: Path, report: Reporter): void {
  for (const issue of issues) report.problem([...path, ...issue.path], issue.message);
}
