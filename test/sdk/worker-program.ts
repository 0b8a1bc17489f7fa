// Workers of official SDKs as processes of their own, one program a language, all doing the same: what a test asks of them and hears.
//
// A program offers PREFIX::echo, fails, nothing, hang, metadata, call, event, sum and stream, and does what a line of JSON on
// its standard input asks (`Command`), answering each in turn with a line "answer JSON". Its other lines: "state connected",
// "rejected CODE", "hanging", "event JSON", and of the trigger type it provides "bound JSON" and "unbound ID" (it refuses the
// path "taken"). Its environment: III_URL, III_WORKER_NAME, III_NAMESPACE, PREFIX (default "far" here), TOKEN (a bearer token).

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Child, startChild } from "../support/child.js";
import { eventually } from "../support/eventually.js";
import type { RunningEngine } from "../support/running-engine.js";
import { functionRows } from "./iii.js";

export interface OfficialSdk {
  /** In the names of tests. */
  readonly label: string;
  /** What it announces itself as. */
  readonly runtime: string;
  /** The version it announces, by its own spelling. */
  readonly version: string;
  /** It knows namespaces, and that a worker's name may be taken. */
  readonly knowsNamespaces: boolean;
  /** It speaks JSON: a function that another has is refused to it (on msgpack it stands by), and it knows functions behind HTTP. */
  readonly speaksJson: boolean;
  /** It has trigger types and triggers. */
  readonly knowsTriggers: boolean;
  /** The command that runs its program, or why there is none. */
  readonly command: () => Promise<readonly string[] | { readonly missing: string }>;
}

export type Command =
  | {
      do: "call";
      function_id: string;
      payload: unknown;
      timeout_ms?: number;
      namespace?: string;
      void?: boolean;
    }
  | { do: "offer" | "withdraw"; id: string }
  | { do: "offer_http"; id: string; url: string }
  | { do: "provide"; type: string }
  | { do: "bind"; type: string; function_id: string; config: unknown; metadata?: Record<string, unknown> }
  | { do: "unbind" }
  | { do: "observe"; source: string; target: string }
  | { do: "pump"; function_id: string; bytes: number; fill: number }
  | { do: "pull"; function_id: string };

/** How a call of such a worker ended. */
export interface Ended {
  readonly result?: unknown;
  readonly code?: string;
  readonly text?: string;
}

const ANSWER = "answer ";
/** A process takes a second to start, more on a busy machine. */
export const SOON_MS = 30_000;

export class WorkerProgram {
  readonly child: Child;
  #asked = 0;

  constructor(child: Child) {
    this.child = child;
  }

  /** Commands are carried out one after the other. */
  async ask(command: Command): Promise<unknown> {
    const nth = this.#asked++;
    this.child.process.stdin?.write(`${JSON.stringify(command)}\n`);
    const answer = await this.#eventually(
      `the answer to ${JSON.stringify(command)}`,
      () => this.said(ANSWER)[nth],
    );
    return JSON.parse(answer);
  }

  call(function_id: string, payload: unknown, rest: object = {}): Promise<Ended> {
    return this.ask({ do: "call", function_id, payload, ...rest }) as Promise<Ended>; // as every program answers
  }

  /** What follows `head` on the lines that begin with it, in order. */
  said(head: string): string[] {
    return this.child.lines.filter((line) => line.startsWith(head)).map((line) => line.slice(head.length));
  }

  /** The first line with that head for which `is` holds. */
  hears(what: string, head: string, is: (rest: string) => boolean = () => true): Promise<string> {
    return this.#eventually(what, () => this.said(head).find(is));
  }

  get isAlive(): boolean {
    return this.child.process.exitCode === null && this.child.process.signalCode === null;
  }

  #eventually<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
    return eventually(what, look, SOON_MS).catch((cause: Error) => {
      throw new Error(`${cause.message}; it wrote:\n${this.child.output}`, { cause });
    });
  }

  /** Resolves once `engine` offers the last of its functions. */
  async offered({ engine }: Pick<RunningEngine, "engine">, prefix = "far"): Promise<void> {
    const isOffered = async () =>
      (await functionRows(engine)).some((row) => row.function_id === `${prefix}::call`) || undefined;
    await this.#eventually(`${prefix}::call is offered`, isOffered);
  }
}

export type Spawn = (
  t: TestContext,
  at: { readonly url: string },
  env?: Record<string, string>,
) => WorkerProgram;

/** A test with programs of `sdk`; skipped, aloud, where the SDK is not to be had. */
export function sdkTest(
  sdk: OfficialSdk,
  name: string,
  body: (t: TestContext, spawn: Spawn) => Promise<void>,
): void {
  test(`${sdk.label}: ${name}`, async (t) => {
    const command = await sdk.command();
    if ("missing" in command) return t.skip(command.missing);
    return body(t, (of, { url }, env = {}) => {
      const common = { III_URL: url, III_WORKER_NAME: "far", PREFIX: "far", OTEL_ENABLED: "false" };
      return new WorkerProgram(startChild(of, command, { stdin: "pipe", env: { ...common, ...env } }));
    });
  });
}

/** Starts a program and waits until the engine has its functions. */
export async function started(
  spawn: Spawn,
  t: TestContext,
  running: RunningEngine,
  env: Record<string, string> = {},
): Promise<WorkerProgram> {
  const program = spawn(t, running, env);
  await program.offered(running, env["PREFIX"]);
  assert.ok(program.isAlive);
  return program;
}
