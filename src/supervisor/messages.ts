// What the engine and its supervisor say to each other. One file for both ends; everything here is plain JSON.
import type { WorkersDiff } from "../config/diff.js";
import type { Config } from "../config/load.js";
import type { ConfigProblem } from "../config/problem.js";
import type { LogFormat, LogLevel } from "../log.js";
import type { DrainResult, RegistrationChange } from "./engine-port.js";
import type { ProcessIdentity } from "./process-table.js";
import type { OutputLine } from "./recent-lines.js";
import type { Transition, UnitStatus } from "./transition.js";
import type { StopReport } from "./unit.js";

export interface Begin {
  /** The same for every supervisor of one engine. */
  readonly run: string;
  readonly enginePid: number;
  /** What workers are told as III_URL. */
  readonly url: string;
  readonly config: Config;
  /** Processes an earlier supervisor of this run had started. */
  readonly leftovers: readonly ProcessIdentity[];
  /** Processes that an operator stopped, name#n of several: declared, not started. */
  readonly held: readonly string[];
}

/** What came of a reload, or of asking what one would do. */
export type ReloadOutcome =
  | { readonly kind: "unchanged" }
  | {
      readonly kind: "applied";
      readonly keys: readonly string[];
      readonly workers: WorkersDiff;
      readonly warnings: readonly ConfigProblem[];
    }
  /** The file is wrong; nothing was touched. */
  | { readonly kind: "invalid"; readonly problems: readonly ConfigProblem[]; readonly text: string }
  /** The file is right, but these keys cannot change in a running engine; nothing was touched. */
  | { readonly kind: "restart_needed"; readonly keys: readonly string[] };

/** A configuration that somebody thinks of. */
export interface Draft {
  readonly text: string;
  /** Its name in messages. */
  readonly shownAs: string;
}

export interface LogsQuery {
  readonly name: string;
  readonly count: number;
  /** Only lines after this sequence number, by unit name. */
  readonly after?: Readonly<Record<string, number>>;
  /** How long to wait for a line when there is none, in milliseconds. */
  readonly waitMs?: number;
}

export interface UnitLines {
  readonly name: string;
  readonly file: string | undefined;
  readonly lastSequence: number;
  readonly lines: readonly OutputLine[];
}

/** From the engine to the supervisor. */
export interface ToSupervisor {
  requests: {
    begin: { body: Begin; reply: { readonly swept: number } };
    start: { body: { readonly name: string }; reply: UnitStatus[] };
    stop: { body: { readonly name: string }; reply: StopReport[] };
    restart: { body: { readonly name: string }; reply: UnitStatus[] };
    /** Settles when every unit of the worker is ready, or will not be for now. */
    settled: { body: { readonly name: string; readonly boundMs: number }; reply: UnitStatus[] };
    status: { body: null; reply: UnitStatus[] };
    logs: { body: LogsQuery; reply: UnitLines[] };
    reload: { body: null; reply: ReloadOutcome };
    /** What a reload would do, without doing it; a draft stands in for the engine's own file. */
    plan: { body: { readonly draft: Draft | undefined }; reply: ReloadOutcome };
    shutdown: { body: { readonly reason: string; readonly deadlineMs: number }; reply: StopReport[] };
  };
  notices: {
    registration: RegistrationChange;
    kill: null;
  };
}

/** From the supervisor to the engine. */
export interface ToEngine {
  requests: {
    drain: { body: { readonly workerId: string; readonly boundMs: number }; reply: DrainResult };
    call: {
      body: {
        readonly functionId: string;
        readonly timeoutMs: number;
        readonly namespace: string | undefined;
      };
      reply: unknown;
    };
    standsBy: { body: { readonly workerIds: readonly string[] }; reply: readonly string[] };
    solelyServed: { body: { readonly workerIds: readonly string[] }; reply: readonly string[] };
    /** The configuration that holds from now on; the engine takes over its live keys. */
    configure: { body: Config; reply: null };
  };
  notices: {
    transition: { readonly transition: Transition; readonly identity: ProcessIdentity | undefined };
    /** A reload that nobody asked for by a request came to this. */
    reloaded: ReloadOutcome;
  };
}

export interface LogSettings {
  readonly level: LogLevel;
  readonly format: LogFormat;
}
