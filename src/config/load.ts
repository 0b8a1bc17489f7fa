// config.yaml from a path to a Config, or a ConfigError with every problem of it.
//
// The line of verbs: read the bytes, read the YAML, expand variables, read by the schema, sort the entries, check what
// belongs together. What is no YAML is read no further; otherwise every stage goes on with what could be read.
// The file is read and never written.
import { dirname, resolve } from "node:path";
import { ENGINE_VERSION } from "../version.js";
import { checkBounds, checkListeners, checkWorkers } from "./check.js";
import { readDoor, warnOfExposure } from "./door.js";
import { type Classified, classify, type Listener, type Surroundings, type WorkerSpec } from "./entries.js";
import { readEnvFile } from "./env-file.js";
import { type Environment, expandVariables } from "./expand.js";
import type { HttpFunctionsConfig, ObservabilityConfig } from "./listener-schema.js";
import { ConfigError, type ConfigProblem, ProblemWriter } from "./problem.js";
import { nodeAt, PathReporter } from "./reporter.js";
import { type ReadFile, readWhatCanBe } from "./salvage.js";
import type { ConfigFile } from "./schema.js";
import { readConfigText } from "./text.js";
import { readYaml, type YamlNode } from "./yaml.js";

/** Everything the engine is told by its configuration file; keys are spelt as in the file. */
export interface Config {
  /** Absolute path of the file; undefined for a configuration made without one. */
  readonly file: string | undefined;
  readonly server: ConfigFile["server"];
  readonly registration_namespace_grace_ms: number;
  readonly limits: ConfigFile["limits"];
  readonly functions: ConfigFile["functions"];
  readonly log: ConfigFile["log"];
  readonly metrics: ConfigFile["metrics"];
  readonly reload: ConfigFile["reload"];
  /** At least one; the first is the one workers are told as III_URL. */
  readonly listeners: readonly Listener[];
  readonly workers: readonly WorkerSpec[];
  /** Of the entry iii-http-functions; absent: HTTP functions are not served. */
  readonly http_functions?: HttpFunctionsConfig;
  /** Of the entry iii-observability. */
  readonly observability?: ObservabilityConfig;
  /** What is fine but deserves to be said. */
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Loads the file. `env` is where `${NAME}` and III_NAMESPACE_GRACE_MS are looked up.
 * Throws ConfigError with all problems; any other throw is a defect of this program.
 */
export function loadConfig(path: string, env: Environment = process.env): Config {
  return wholly(openConfig(path, env));
}

function wholly(open: OpenConfig): Config {
  open.throwProblems();
  return open.config;
}

/**
 * A configuration, and the text it came from for whoever has more to say about places in it. Where it has problems
 * already, `config` is what could be read, good for finding more of them and nothing else: ask `throwProblems` first.
 */
export interface OpenConfig {
  readonly config: Config;
  readonly text: string;
  /** Adds a problem at the entry of a worker, by its name. */
  problemAt(worker: string, key: string, message: string, hint: string): void;
  /** Throws ConfigError when problems were added. */
  throwProblems(): void;
}

/** As loadConfig, for those who check the configuration against the machine as well. */
export function openConfig(path: string, env: Environment = process.env): OpenConfig {
  return openText(readConfigText(path), { file: resolve(path), shownAs: path, env });
}

export interface ParseOptions {
  readonly file?: string;
  /** The name in messages. Default: `file`, or "config.yaml". */
  readonly shownAs?: string;
  readonly env?: Environment;
}

/** The configuration written in `text`. Throws ConfigError. */
export function parseConfig(text: string, options: ParseOptions = {}): Config {
  return wholly(openText(text, options));
}

/** As openConfig, of a text. Throws ConfigError at once where the text is no YAML. */
export function openText(text: string, options: ParseOptions): OpenConfig {
  const { file, env = {} } = options;
  const writer = new ProblemWriter(options.shownAs ?? file ?? "config.yaml", text);
  const root = treeOf(text, writer);
  const unset = expand(root, text, env, writer);
  const read = readExpanded(root);
  const report = new PathReporter(root, writer, unset);
  for (const issue of read.issues) report.schemaIssue(issue);
  const config = assemble(read, file, env, report, writer);
  const throwProblems = (): void => {
    if (writer.problems.length > 0) throw new ConfigError(writer.problems);
  };
  const problemAt: OpenConfig["problemAt"] = (worker, key, message, hint) => {
    const path = [...report.pathOfEntry(worker), key];
    if (!report.isUnset(path)) report.problem(path, message, hint);
  };
  return { config, text, problemAt, throwProblems };
}

function treeOf(text: string, writer: ProblemWriter): YamlNode {
  const { root, faults } = readYaml(text);
  for (const fault of faults) writer.at(fault.start, fault.end, fault.message, fault.hint);
  if (root === undefined && faults.length === 0) {
    writer.whole("the file is empty", "write {} if every default is meant");
  }
  if (root === undefined) throw new ConfigError(writer.problems);
  return root;
}

/** Expands in place; the nodes whose variables are not set are returned, the problem of each is written. */
function expand(root: YamlNode, text: string, env: Environment, writer: ProblemWriter): Set<YamlNode> {
  const missing = expandVariables(root, env, ENGINE_VERSION);
  for (const { name, node, index, length } of missing) {
    const start = Math.max(node.start, text.indexOf("${", node.start + (node.isPlain ? index : 0)));
    const hint = `set it, or write a default: \${${name}:…}`;
    writer.at(start, start + length, `the variable ${name} is not set and no default provided`, hint);
  }
  return new Set(missing.map(({ node }) => node));
}

/** Where a value from the environment does not fit, its other reading is tried: text for a number, a number for text. */
function readExpanded(root: YamlNode): ReadFile {
  const read = readWhatCanBe(plainValue(root));
  const misfits = read.issues.flatMap(({ path }) => nodeAt(root, path) ?? []);
  const others = misfits.filter(({ alternative }) => alternative !== undefined);
  for (const node of others) node.value = node.alternative ?? null;
  return others.length === 0 ? read : readWhatCanBe(plainValue(root));
}

/** The tree as plain values; unset variables stay empty texts, their problem is already written. */
function plainValue(node: YamlNode): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(plainValue);
  // a null prototype: a key named __proto__ is a key like any other
  const object: Record<string, unknown> = Object.create(null);
  for (const [key, entry] of node.entries) object[key] = plainValue(entry.node);
  return object;
}

function assemble(
  { file: read, entries, names }: ReadFile,
  file: string | undefined,
  env: Environment,
  report: PathReporter,
  writer: ProblemWriter,
): Config {
  const base = file === undefined ? process.cwd() : dirname(file);
  const around = { resolve: (path: string) => resolve(base, path), readEnvFile };
  const sorted = classify(entries, read.server.handshake_timeout_ms, around, report);
  const listeners = listenersOf(read, sorted, around, report);
  checkBounds(read, report);
  checkWorkers(sorted.workers, names, read, report);
  const grace = graceMs(read, env, writer);
  const { server, limits, functions, log, metrics, reload } = read;
  const workers = sorted.workers.map(({ spec }) => spec);
  return {
    file,
    server,
    limits,
    functions,
    log,
    metrics,
    reload,
    registration_namespace_grace_ms: grace,
    listeners,
    workers,
    ...(sorted.httpFunctions === undefined ? {} : { http_functions: sorted.httpFunctions }),
    ...(sorted.observability === undefined ? {} : { observability: sorted.observability }),
    warnings: report.warnings,
  };
}

/** The listener of `server` stands first when it is written, or when no entry is a listener. */
function listenersOf(
  read: ConfigFile,
  sorted: Classified,
  around: Surroundings,
  report: PathReporter,
): Listener[] {
  const { host, port, handshake_timeout_ms } = read.server;
  const door = readDoor(["server"], read.server, around, report);
  const own: Listener = { name: "server", host, port, handshake_timeout_ms, ...door };
  const isWritten = ["port", "host", "tls", "origins"].some((key) => report.has(["server", key]));
  const listeners =
    isWritten || sorted.listeners.length === 0 ? [own, ...sorted.listeners] : sorted.listeners;
  const { metrics } = read;
  const bound = listeners.map((listener) => ({ path: report.pathOfEntry(listener.name), listener }));
  const pages =
    metrics.port === undefined
      ? []
      : [
          {
            path: ["metrics", "port"],
            listener: { name: "metrics", host: metrics.host, port: metrics.port },
          },
        ];
  checkListeners([...bound, ...pages], report);
  for (const { path, listener } of bound) warnOfExposure(path, listener, report);
  return listeners;
}

function graceMs(read: ConfigFile, env: Environment, writer: ProblemWriter): number {
  const written = env["III_NAMESPACE_GRACE_MS"];
  if (written === undefined || written === "") return read.registration_namespace_grace_ms;
  if (/^\d{1,9}$/.test(written)) return Number(written);
  writer.whole(
    `the variable III_NAMESPACE_GRACE_MS is ${JSON.stringify(written)}`,
    "write whole milliseconds, at most 9 digits",
  );
  return 0;
}
