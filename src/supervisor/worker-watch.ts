// For development: a worker is restarted gracefully when its files have changed and settled.
import { relative, resolve, sep } from "node:path";
import type { WorkerSpec } from "../config/entries.js";
import { type Watching, watchPaths } from "../config/watch.js";
import { matcher, rootOf } from "./glob.js";

export class WorkerWatch {
  readonly #watching = new Map<string, { key: string; watching: Watching }>();
  readonly #onChange: (worker: string, reason: string) => void;

  constructor(onChange: (worker: string, reason: string) => void) {
    this.#onChange = onChange;
  }

  /** Watches what these declarations ask for, and nothing else. */
  async follow(specs: readonly WorkerSpec[]): Promise<void> {
    const wanted = new Map(specs.map((spec) => [spec.name, spec]));
    for (const [name, { key, watching }] of this.#watching) {
      if (key === keyOf(wanted.get(name))) continue;
      this.#watching.delete(name);
      await watching.close();
    }
    const opened: Promise<void>[] = [];
    for (const spec of specs) {
      if (spec.watch === undefined || this.#watching.has(spec.name)) continue;
      const watching = this.#open(spec, spec.watch);
      this.#watching.set(spec.name, { key: keyOf(spec), watching });
      opened.push(watching.ready);
    }
    await Promise.all(opened);
  }

  async close(): Promise<void> {
    await this.follow([]);
  }

  #open(spec: WorkerSpec, { paths, ignore, settle_ms }: NonNullable<WorkerSpec["watch"]>): Watching {
    const isWanted = matcher(paths);
    const isIgnored = matcher(ignore.flatMap((glob) => [glob, glob.replace(/\/\*\*$/, "")]));
    const inside = (path: string): string => relative(spec.cwd, path).split(sep).join("/");
    const roots = [...new Set(paths.map((glob) => resolve(spec.cwd, rootOf(glob))))];
    return watchPaths(
      roots,
      { settleMs: settle_ms, ignore: (path) => isIgnored(inside(path)) },
      (changed) => {
        const relevant = changed.map(inside).filter(isWanted);
        if (relevant.length > 0)
          this.#onChange(
            spec.name,
            `files changed: ${relevant.slice(0, 3).join(", ")}${relevant.length > 3 ? ", …" : ""}`,
          );
      },
    );
  }
}

function keyOf(spec: WorkerSpec | undefined): string {
  return JSON.stringify([spec?.cwd, spec?.watch]);
}
