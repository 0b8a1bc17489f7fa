// The shape of config.yaml: every key with its type, default, unit and one sentence.
//
// Everything else about keys is made from this file: the types, the JSON Schema that editors use, the table in
// README.md and the sentences in error messages. What depends on more than one value (names that must differ, ports that
// clash, cycles) is judged in entries.ts and check.ts.
import {
  CALL_TIMEOUT_MS_MAX,
  CALLS_OPEN_MAX,
  LIMITS as ENGINE,
  LIMIT_MAXIMA as MOST,
} from "../protocol/limits.js";
import { bounds } from "./bounds-schema.js";
import { originsSchema, tlsSchema } from "./door-schema.js";
import { LIMITS } from "./limits.js";
import { z } from "./zod.js";

const int = (min: number, max: number, text: string) => z.int().min(min).max(max).describe(text);
const ms = (fallback: number, text: string, min = 0) => int(min, LIMITS.timerMsMax, text).default(fallback);
const text = (about: string) => z.string().min(1).describe(about);
const strings = (about: string) => z.array(z.string().min(1)).describe(about);

const port = int(0, 65_535, "TCP port; 0 picks a free one.");
const host = text("Address to bind.");

/** Longest idle time uWebSockets can be given, in seconds; its shortest is 8. */
const IDLE_S_MIN = 8;
const IDLE_S_MAX = 960;
const idleSeconds = z
  .union([z.literal(0), int(IDLE_S_MIN, IDLE_S_MAX, "seconds")])
  .describe(
    `Seconds without any sign of life after which a worker's connection is closed: 0 (never) or ${IDLE_S_MIN} to ${IDLE_S_MAX}.`,
  );

const server = z
  .strictObject({
    host: host.default("127.0.0.1").describe("Address the listener binds; 0.0.0.0 is every interface."),
    port: port.default(49_134).describe("TCP port the listener binds; 0 picks a free one."),
    tls: tlsSchema.optional(),
    origins: originsSchema.optional(),
    max_message_bytes: int(1024, MOST.frameBytesMax, "Longest WebSocket message accepted, in bytes.").default(
      ENGINE.frameBytesMax,
    ),
    idle_timeout_s: idleSeconds.default(ENGINE.idleTimeoutS),
    handshake_timeout_ms: ms(
      ENGINE.handshakeTimeoutMs,
      "How long a connection may take to finish its handshake, in milliseconds.",
      1,
    ),
    drain_ms: ms(5_000, "At shutdown: how long calls in flight may take to finish, in milliseconds."),
    shutdown_timeout_ms: ms(
      30_000,
      "Bound on the whole shutdown, in milliseconds; whatever still runs then is killed.",
      1,
    ),
  })
  .prefault({})
  .describe("The engine's own listener, and how connections and the shutdown are bounded.");

const SHARE = ["least_outstanding", "round_robin", "hash"] as const;

/** `which`: whose calls; `who` executes them. */
const concurrency = (which: string, who: string) => ({
  concurrency: int(
    1,
    CALLS_OPEN_MAX,
    `${which} that ${who} executes at once; more wait in the engine.`,
  ).optional(),
  queue_calls: int(
    0,
    CALLS_OPEN_MAX,
    "With `concurrency`: calls that may wait, beyond which callers are answered `overloaded`; default as many as it executes, 16 at least.",
  ).optional(),
  queue_ms: int(
    0,
    LIMITS.timerMsMax,
    "With `concurrency`: how long a call may wait, in milliseconds; default 1,000.",
  ).optional(),
});

const functionRule = z.strictObject({
  match: text("Function id, or a pattern: `*` stands for any characters, as in `math::*`."),
  share: z
    .enum(SHARE)
    .optional()
    .describe(
      "Lets several workers serve a function, and says how one is chosen; absent: one owner, others stand by.",
    ),
  timeout_ms: int(
    1,
    CALL_TIMEOUT_MS_MAX,
    "Deadline of a call to such a function that carries none, in milliseconds.",
  ).optional(),
  ...concurrency("Calls of such a function", "one worker"),
});

const log = z
  .strictObject({
    level: z
      .enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"])
      .default("info")
      .describe("Least severe level that is written."),
    format: z
      .enum(["auto", "readable", "json"])
      .default("auto")
      .describe("`auto` writes for people on a terminal and JSON otherwise."),
    slow_call_ms: ms(0, "Calls that take this long are logged one by one, in milliseconds; 0: none are."),
  })
  .prefault({})
  .describe("The engine's log, on standard output.");

const metrics = z
  .strictObject({
    host: host.default("127.0.0.1").describe("Address of the metrics' own listener."),
    port: port
      .optional()
      .describe(
        "Port of a listener of their own for /metrics, /healthz and /readyz; 0 picks a free one. Absent: /metrics is served beside the workers' endpoint where that is bound to the loopback interface and has no rules.",
      ),
  })
  .prefault({})
  .describe("Where the metrics are served, as Prometheus reads them.");

const reload = z
  .strictObject({
    watch: z
      .boolean()
      .default(true)
      .describe("Follow changes of the file. SIGHUP and `tercet reload` work either way."),
    settle_ms: ms(300, "How long the file must stay unchanged before it is read, in milliseconds.", 10),
    on_invalid: z
      .enum(["exit", "keep"])
      .default("exit")
      .describe(
        "What an invalid file does to a running engine: `exit` stops the workers in order and ends with code 3, `keep` goes on with the last good configuration.",
      ),
  })
  .prefault({})
  .describe("How changes of this file are taken up.");

const command = z
  .union([z.string().min(1), z.array(z.string()).min(1)])
  .describe("Program and arguments as a list, or one string for `/bin/sh -c`.");

export const CONDITIONS = ["started", "ready", "completed"] as const;
const dependsOn = z
  .union([z.array(z.string().min(1)), z.record(z.string(), z.enum(CONDITIONS))])
  .describe(
    "Workers that come first: a list of names (each must be ready), or a mapping name: started | ready | completed.",
  );

const RESTART_POLICIES = ["always", "on-failure", "never"] as const;
const exitCodes = (about: string) => z.array(int(0, 255, "Exit code.")).describe(about);
const restartDetails = z.strictObject({
  policy: z.enum(RESTART_POLICIES).default("always").describe("When a process that ended is started again."),
  success_codes: exitCodes("Exit codes that are no failure, besides 0.").default([]),
  fatal_codes: exitCodes(
    "Exit codes after which starting again is useless: the worker becomes `failed`.",
  ).default([]),
  delay_ms: ms(
    250,
    "Upper bound of the first random delay, in milliseconds; it doubles with every failure.",
    1,
  ),
  max_delay_ms: ms(30_000, "Largest upper bound of the delay, in milliseconds.", 1),
  stable_after_ms: ms(
    60_000,
    "A run this long is stable: the next restart comes at once and the delay starts over.",
    1,
  ),
  max_restarts: int(1, 1_000_000, "Restarts within `window_ms` that make a crash loop.").default(5),
  window_ms: ms(60_000, "Window in which restarts are counted, in milliseconds.", 1),
  probe_ms: ms(
    30_000,
    "In a crash loop: pause between two tries, in milliseconds; 0 waits for `tercet start`.",
  ),
  dependants: z
    .boolean()
    .default(true)
    .describe("Restart the workers that depend on this one after it came back."),
});
const restart = z
  .union([z.enum(RESTART_POLICIES), restartDetails])
  .describe("Restart policy: `always` (default), `on-failure`, `never`, or a mapping with details.");

const READY_WORDS = ["registered", "started"] as const;
const readyDetails = z.strictObject({
  log: text("Ready when a line of output matches this regular expression.").optional(),
  tcp: int(1, 65_535, "Ready when this port on 127.0.0.1 accepts a connection.").optional(),
  call: text("Ready when a call of this function, with the namespace of the worker, succeeds.").optional(),
  timeout_ms: ms(
    60_000,
    "How long the start may take, in milliseconds; then the process is stopped and counts as failed.",
    1,
  ),
});
const ready = z
  .union([z.enum(READY_WORDS), readyDetails])
  .describe(
    "Ready when: `registered` (default: its registration arrived), `started` (the process runs), or a mapping with one of log, tcp, call.",
  );

const liveness = z
  .strictObject({
    call: text("Function that is called to see whether the worker lives.").optional(),
    every_ms: ms(10_000, "Pause between two such calls, in milliseconds.", 10),
    timeout_ms: ms(1_000, "Bound on one such call, in milliseconds.", 1),
    failures: int(1, 1000, "Calls that must fail in a row before the worker is restarted.").default(3),
    reconnect_ms: ms(
      30_000,
      "How long a registered worker may be without a connection before it is restarted, in milliseconds; 0: for ever.",
    ),
  })
  .describe("How a worker that hangs is noticed.");

const SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL"] as const;
const stop = z
  .strictObject({
    drain_ms: ms(5_000, "How long calls in flight may take to finish before the signal, in milliseconds."),
    signal: z.enum(SIGNALS).default("SIGTERM").describe("Signal that asks the process group to end."),
    grace_ms: ms(10_000, "How long the group may take to end before SIGKILL, in milliseconds."),
  })
  .describe("How the worker is stopped.");

const entryLimits = z
  .strictObject({
    memory_bytes: int(
      1 << 20,
      2 ** 50,
      "Resident memory of the process group above which it is restarted gracefully.",
    ).optional(),
    ...concurrency("Calls of all its functions", "a worker of this name"),
  })
  .describe("Bounds on the process, and on what it is given to do at once.");

const watchDetails = z.strictObject({
  paths: strings("Globs below `cwd` whose changes restart the worker."),
  ignore: strings("Globs below `cwd` that are left out.").default([
    "**/node_modules/**",
    "**/.git/**",
    "**/dist/**",
    "**/target/**",
    "**/.venv/**",
  ]),
  settle_ms: ms(300, "How long the files must stay unchanged before the restart, in milliseconds.", 10),
});
const watch = z
  .union([z.array(z.string().min(1)), watchDetails])
  .describe("For development: restart the worker when files change. A list of globs, or a mapping.");

const entryLog = z
  .strictObject({
    file: text(
      "File that receives the output besides the log; relative to this configuration file.",
    ).optional(),
    max_bytes: int(4096, 2 ** 40, "Size at which the file is rotated.").default(10 << 20),
    files: int(1, 100, "Files kept, the current one included.").default(5),
    lines: int(1, 10_000, "Recent lines kept in memory for `tercet logs` and error messages.").default(200),
  })
  .describe("What becomes of the output.");

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const envValue = z.union([z.string(), z.number(), z.boolean()]);

/** One entry of `workers:` or `modules:`, as written. */
export const entrySchema = z.strictObject({
  name: text("Name of the worker; letters, digits, `-`, `_` and `.`."),
  image: text(
    "Container image. This engine starts plain processes: run the image with your container runtime and let it connect.",
  ).optional(),
  config: z
    .unknown()
    .optional()
    .describe(
      "Settings for the worker: JSON in its environment as III_WORKER_CONFIG. Of a listener or a command of the reference: its own settings.",
    ),
  worker_path: text("Directory of a local worker in the reference. Use `command` and `cwd`.").optional(),
  command: command.optional(),
  cwd: text("Working directory; relative to this configuration file; default its directory.").optional(),
  env: z
    .record(z.string().regex(ENV_NAME), envValue)
    .optional()
    .describe("Environment variables of the process."),
  env_file: z
    .union([z.string().min(1), z.array(z.string().min(1))])
    .optional()
    .describe("Files of NAME=value lines, read in order before `env`."),
  inherit_env: strings(
    "Names of the engine's environment variables that the process receives; default a short safe list.",
  ).optional(),
  namespace: text("Namespace the worker registers in; default `default`.").optional(),
  replicas: int(
    0,
    LIMITS.replicasMax,
    "Number of processes; more than one are named name#0, name#1, …, and replaced one after the other.",
  ).default(1),
  depends_on: dependsOn.optional(),
  restart: restart.optional(),
  ready: ready.optional(),
  liveness: liveness.prefault({}),
  stop: stop.prefault({}),
  limits: entryLimits.prefault({}),
  watch: watch.optional(),
  log: entryLog.prefault({}),
});

export const configSchema = z.strictObject({
  registration_namespace_grace_ms: ms(
    5_000,
    "How long a new connection may stay without telling its namespace before it is put in `default`, in milliseconds. The variable III_NAMESPACE_GRACE_MS wins.",
  ),
  server,
  limits: bounds,
  functions: z
    .array(functionRule)
    .default([])
    .describe(
      "Sharing, concurrency and deadlines by pattern of function ids; of each the first match that says it wins.",
    ),
  log,
  metrics,
  reload,
  workers: z
    .array(entrySchema)
    .default([])
    .describe("Workers that the engine starts and watches, and listeners."),
  modules: z
    .array(entrySchema)
    .default([])
    .describe("Older name of `workers`; both are read, this one last."),
});

export type ConfigFile = z.output<typeof configSchema>;
export type EntryFile = z.output<typeof entrySchema>;
export type RestartRules = z.output<typeof restartDetails>;
export type ReadyRules = { until: "registered" | "started" | "log" | "tcp" | "call" } & z.output<
  typeof readyDetails
>;
export type WatchRules = z.output<typeof watchDetails>;
export type FunctionRule = z.output<typeof functionRule>;

/** The details behind a short form, with every default filled in. */
export function restartRules(written: EntryFile["restart"]): RestartRules {
  if (typeof written === "object") return written;
  return restartDetails.parse(written === undefined ? {} : { policy: written });
}

export function readyRules(written: EntryFile["ready"]): ReadyRules {
  if (typeof written !== "object") return { until: written ?? "registered", ...readyDetails.parse({}) };
  const until =
    written.log !== undefined
      ? "log"
      : written.tcp !== undefined
        ? "tcp"
        : written.call !== undefined
          ? "call"
          : "registered";
  return { until, ...written };
}

export function watchRules(written: EntryFile["watch"]): WatchRules | undefined {
  return Array.isArray(written) ? watchDetails.parse({ paths: written }) : written;
}

/** `config` of an entry `iii-exec`. */
export const execSchema = z.strictObject({
  exec: z.array(z.string().min(1)).min(1),
  watch: z.array(z.string().min(1)).optional(),
});

export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** The JSON Schema of config.yaml as a person may write it (defaults optional). */
export function configJsonSchema(): JsonSchema {
  // zod types it as its own structure; the parts named in JsonSchema are those JSON Schema itself defines
  return z.toJSONSchema(configSchema, { io: "input" }) as JsonSchema;
}
