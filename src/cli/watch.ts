// `tercet watch`: every change of the registry as it happens, over restarts of the engine; ends with Ctrl-C.
import type { RegistryChange, RegistryUpdate } from "../worker/index.js";
import { type Command, ENGINE_URL_OPTIONS, type Io } from "./command.js";
import { connectToEngine } from "./engine-client.js";
import type { ExitCode } from "./exit-codes.js";
import { plain } from "./table.js";

export const command: Command = {
  summary: "Shows every change of the registry as it happens.",
  usage: "watch [PREFIX]",
  options: {
    ...ENGINE_URL_OPTIONS,
    namespace: { type: "string", short: "n", value: "NAME", about: "Only what lives there." },
    now: { type: "boolean", about: "Begin with what there is now." },
  },
  details:
    "  + came, ~ changed, - gone: functions, workers, trigger types and triggers whose id (a worker: name;\n  a trigger: function) begins with PREFIX. Goes on when the engine restarts; ends with Ctrl-C.",
  run: async (line, io) => {
    const worker = await connectToEngine(line, io);
    const [prefix] = line.rest;
    const namespace = line.text("namespace");
    const printer = new Printer(io, line.flag("json"), line.flag("now"));
    const filter = {
      ...(prefix === undefined ? {} : { prefix }),
      ...(namespace === undefined ? {} : { namespace }),
    };
    worker.watch(filter, (update) => printer.print(update));
    return new Promise<ExitCode>(() => undefined); // until Ctrl-C
  },
};

/** What is known, and a line for everything that differs from it. */
class Printer {
  readonly #io: Io;
  readonly #isJson: boolean;
  #isSilent: boolean;
  #known = new Map<string, RegistryChange>();

  constructor(io: Io, isJson: boolean, beginsWithAll: boolean) {
    this.#io = io;
    this.#isJson = isJson;
    this.#isSilent = !beginsWithAll;
  }

  print({ isWhole, revision, changes }: RegistryUpdate): void {
    const before = this.#known;
    if (isWhole) this.#known = new Map();
    for (const change of changes) this.#take(change, before.get(keyOf(change)), revision);
    if (isWhole) this.#sayGone(before, revision);
    if (isWhole && !this.#isJson) this.#io.err(`watching ${this.#counts()} (revision ${revision})\n`);
    this.#isSilent = false;
  }

  #take(change: RegistryChange, was: RegistryChange | undefined, revision: number): void {
    if (change.row === undefined) this.#known.delete(keyOf(change));
    else this.#known.set(keyOf(change), change);
    if (JSON.stringify(change) === JSON.stringify(was)) return;
    if (change.row === undefined) this.#sayGoneAs(was ?? change, revision);
    else this.#say(was === undefined ? "+" : "~", change, revision);
  }

  /** What was known and is not among all there is: it went while nobody was connected. */
  #sayGone(before: ReadonlyMap<string, RegistryChange>, revision: number): void {
    for (const [key, change] of before) if (!this.#known.has(key)) this.#sayGoneAs(change, revision);
  }

  /** People are told what it was; programs know it by its key. */
  #sayGoneAs(was: RegistryChange, revision: number): void {
    this.#say("-", this.#isJson ? withoutRow(was) : was, revision);
  }

  /** "2 workers, 41 functions". */
  #counts(): string {
    const kinds = new Map<string, number>();
    for (const { what } of this.#known.values()) kinds.set(what, (kinds.get(what) ?? 0) + 1);
    const parts = [...kinds].map(
      ([what, count]) => `${count} ${what.replace("_", " ")}${count === 1 ? "" : "s"}`,
    );
    return parts.join(", ") || "nothing yet";
  }

  #say(sign: string, change: RegistryChange, revision: number): void {
    if (this.#isSilent) return;
    if (this.#isJson) this.#io.out(`${JSON.stringify({ revision, ...change })}\n`);
    else this.#io.out(`${plain(`${sign} ${textOf(change)}`)}\n`);
  }
}

function keyOf(change: RegistryChange): string {
  return JSON.stringify([change.what, "namespace" in change ? change.namespace : "", change.id]);
}

function withoutRow(change: RegistryChange): RegistryChange {
  const { row: _, ...rest } = change;
  return rest;
}

function textOf(change: RegistryChange): string {
  const what = change.what.replace("_", " ").padEnd(12);
  switch (change.what) {
    case "function":
    case "trigger_type":
      return `${what} ${change.id}  in ${change.namespace}${change.row === undefined ? "" : `, of ${change.row.workerName}`}`;
    case "worker":
      return `${what} ${change.row?.name ?? change.id}${change.row === undefined ? "" : `  in ${change.row.namespace}, ${change.id}`}`;
    case "trigger": {
      const { row } = change;
      if (row === undefined) return `${what} ${change.id}`;
      const state = row.reason === undefined ? row.state : `${row.state}: ${row.reason.replaceAll("_", " ")}`;
      return `${what} ${change.id}  ${row.type} calls ${row.functionId} in ${row.namespace}, ${state}`;
    }
  }
}
