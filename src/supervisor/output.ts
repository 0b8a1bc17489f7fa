// Where the lines of workers go besides memory: the log, under name, pid and stream, and a file where one is declared.
import type { WorkerSpec } from "../config/entries.js";
import type { Logger } from "../log.js";
import { LogFile } from "./log-file.js";
import type { OutputLine } from "./recent-lines.js";

export class Output {
  readonly #log: Logger;
  readonly #files = new Map<string, { key: string; file: LogFile }>();

  constructor(log: Logger) {
    this.#log = log;
  }

  write(unit: string, spec: WorkerSpec, { pid, stream, text, droppedBytes, timeMs }: OutputLine): void {
    const dropped = droppedBytes === 0 ? {} : { droppedBytes };
    this.#log.info({ worker: unit, pid, stream, ...dropped }, text);
    const file = this.#fileOf(unit, spec);
    const note = droppedBytes === 0 ? "" : ` [${droppedBytes} more bytes]`;
    file?.write(`${new Date(timeMs).toISOString()} [${unit} ${pid} ${stream}] ${text}${note}`);
  }

  close(): void {
    for (const { file } of this.#files.values()) file.close();
    this.#files.clear();
  }

  #fileOf(unit: string, { log }: WorkerSpec): LogFile | undefined {
    const key = JSON.stringify(log);
    const open = this.#files.get(unit);
    if (open?.key === key) return open.file;
    open?.file.close();
    this.#files.delete(unit);
    if (log.file === undefined) return undefined;
    const rules = { path: log.file, bytesMax: log.max_bytes, filesMax: log.files };
    const file = new LogFile(rules, (error) =>
      this.#log.error({ worker: unit, err: error }, `cannot write ${rules.path}`),
    );
    this.#files.set(unit, { key, file });
    return file;
  }
}
