// Taking up a changed configuration file: read, validate, compare, and either apply all of it or nothing and say why.
//
// Lives in the supervisor's process, so that neither parsing nor watching stands in the way of a call. One reload at a
// time; what is asked meanwhile makes one more. An invalid file is reported; what it does to the engine is the engine's
// decision (reload.on_invalid).
import { createHash } from "node:crypto";
import { readBounded } from "../config/bounded-file.js";
import { type ConfigDiff, diffConfig, isEmptyDiff } from "../config/diff.js";
import { LIMITS } from "../config/limits.js";
import { type Config, type OpenConfig, openConfig, openText } from "../config/load.js";
import { checkMachine } from "../config/machine.js";
import { ConfigError } from "../config/problem.js";
import { type Watching, watchFile } from "../config/watch.js";
import type { Fleet } from "./fleet.js";
import type { Draft, ReloadOutcome } from "./messages.js";

export interface ReloaderWorld {
  readonly fleet: Pick<Fleet, "apply">;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The engine takes over the live keys. */
  configure(config: Config): Promise<unknown>;
  /** What a reload came to that the file's change brought about. */
  onReloaded(outcome: ReloadOutcome): void;
}

const RETURN_MS = 3_000; // how long a file may be gone while an editor or a deployment replaces it
const RETRY_MS = 100;

export class Reloader {
  #config: Config;
  readonly #world: ReloaderWorld;
  #digest: string | undefined;
  /** What the file says is not what is in force. */
  #isRefusing = false;
  #queue: Promise<unknown> = Promise.resolve();
  #watching: Watching | undefined;

  constructor(config: Config, world: ReloaderWorld) {
    this.#config = config;
    this.#world = world;
    this.#digest = this.#digestNow();
  }

  get config(): Config {
    return this.#config;
  }

  /** Follows the file, as the configuration says. */
  async watch(): Promise<void> {
    await this.#watching?.close();
    this.#watching = undefined;
    const { file, reload } = this.#config;
    if (file === undefined || !reload.watch) return;
    this.#watching = watchFile(file, reload.settle_ms, () => void this.#onFileEvent());
    await this.#watching.ready;
  }

  async close(): Promise<void> {
    await this.#watching?.close();
  }

  /** Reads the file again and makes it true. Never rejects because of the file. */
  reload(): Promise<ReloadOutcome> {
    return this.#inTurn(() => this.#take(true));
  }

  /** What `reload` would answer now, without touching anything; a draft stands in for the file. */
  plan(draft?: Draft): Promise<ReloadOutcome> {
    return this.#inTurn(() => this.#take(false, draft));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(() => {}); // whoever asked gets the error; the next in line does not
    return turn;
  }

  async #onFileEvent(): Promise<void> {
    const wasRefusing = this.#isRefusing;
    const outcome = await this.#inTurn(async () => {
      const digest = await this.#digestSoon();
      return digest !== undefined && digest === this.#digest ? undefined : this.#take(true);
    });
    if (outcome === undefined) return;
    const isNews = outcome.kind !== "unchanged" || wasRefusing; // a file that was wrong and is right again is news
    if (isNews) this.#world.onReloaded(outcome);
  }

  async #take(isMeant: boolean, draft?: Draft): Promise<ReloadOutcome> {
    const outcome = await this.#look(isMeant, draft);
    if (isMeant) this.#isRefusing = outcome.kind === "invalid" || outcome.kind === "restart_needed";
    return outcome;
  }

  async #look(isMeant: boolean, draft?: Draft): Promise<ReloadOutcome> {
    if (isMeant) this.#digest = this.#digestNow();
    if (this.#config.file === undefined && draft === undefined) return { kind: "unchanged" }; // made without a file
    try {
      const open = this.#open(draft);
      const diff = diffConfig(this.#config, open.config);
      await this.#check(open, diff);
      if (isEmptyDiff(diff)) return { kind: "unchanged" };
      const fixed = diff.keys.filter(({ effect }) => effect === "restart");
      if (fixed.length > 0) return { kind: "restart_needed", keys: fixed.map(({ key }) => key) };
      if (isMeant) await this.#commit(open.config, diff);
      return {
        kind: "applied",
        keys: diff.keys.map(({ key }) => key),
        workers: diff.workers,
        warnings: open.config.warnings,
      };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return { kind: "invalid", problems: error.problems, text: error.message };
    }
  }

  #open(draft: Draft | undefined): OpenConfig {
    const { file } = this.#config;
    const { env } = this.#world;
    if (draft === undefined) return openConfig(file ?? "", env);
    return openText(draft.text, { shownAs: draft.shownAs, env, ...(file === undefined ? {} : { file }) });
  }

  #check(open: OpenConfig, { workers }: ConfigDiff): Promise<void> {
    const stopping = new Set([...workers.removed, ...workers.changed]);
    const freed = this.#config.workers
      .filter(({ name }) => stopping.has(name))
      .flatMap(({ ready }) => ready.tcp ?? []);
    return checkMachine(
      open,
      new Set([...workers.added, ...workers.changed]),
      this.#world.env,
      new Set(freed),
    );
  }

  async #commit(config: Config, diff: ConfigDiff): Promise<void> {
    this.#config = config;
    await this.#world.configure(config);
    await this.#world.fleet.apply(config.workers);
    if (diff.keys.some(({ key }) => key.startsWith("reload."))) await this.watch();
  }

  async #digestSoon(): Promise<string | undefined> {
    for (const deadline = Date.now() + RETURN_MS; ; ) {
      const digest = this.#digestNow();
      if (digest !== undefined || Date.now() > deadline) return digest;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Of the file's bytes, as far as they are read; undefined when it cannot be read, which a load then explains. */
  #digestNow(): string | undefined {
    try {
      return createHash("sha256")
        .update(readBounded(this.#config.file ?? "", LIMITS.fileBytesMax))
        .digest("hex");
    } catch (error) {
      if (error instanceof Error && "code" in error) return undefined;
      throw error;
    }
  }
}
