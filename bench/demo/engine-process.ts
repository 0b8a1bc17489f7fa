// The engine as a process of its own, as `tercet --config FILE` starts it, with the workers that the file declares.
//
// Where it listens is read from its log (JSON lines). What else it logs is kept and shown when something goes wrong.

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../src/main.js", import.meta.url));
const LOG_LINES_MAX = 200;

export class EngineProcess {
  /** Its last lines of log and of standard error. */
  readonly log: string[] = [];
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly #listening: Promise<string>;

  constructor(configFile: string) {
    const child = spawn(process.execPath, [MAIN, "--config", configFile], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    this.#ended = new Promise((resolve) => child.once("close", resolve));
    this.#listening = new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        this.#keep(line);
        const url = listenerIn(line);
        if (url !== undefined) resolve(url);
      });
      createInterface({ input: child.stderr }).on("line", (line) => this.#keep(line));
      void this.#ended.then((code) =>
        reject(new Error(`the engine ended with code ${code} before it was ready:\n${this.log.join("\n")}`)),
      );
    });
  }

  /** Its URL, once it listens; rejects when it ends before. */
  ready(): Promise<string> {
    return this.#listening;
  }

  /** Asks it to stop; resolves with its exit code. */
  stop(): Promise<number | null> {
    this.#process.kill("SIGTERM");
    return this.#ended;
  }

  #keep(line: string): void {
    this.log.push(line);
    if (this.log.length > LOG_LINES_MAX) this.log.shift();
  }
}

/** The first URL of a line that tells where the engine listens. */
function listenerIn(line: string): string | undefined {
  if (!line.startsWith("{")) return undefined;
  const { listeners } = JSON.parse(line) as { listeners?: string[] }; // a line of the engine's JSON log
  return listeners?.[0];
}
