// What can only be judged when all values are known: bounds that relate to each other, ports that clash, workers that wait for each
// other. Pure: it looks at no file and no process (machine.ts does that).
import { MEMORY_BYTES_MIN } from "../protocol/limits.js";
import type { Classified, Listener, Path, Reporter } from "./entries.js";
import { LIMITS } from "./limits.js";
import { nearest } from "./nearest.js";
import type { ConfigFile } from "./schema.js";

export function checkBounds(file: ConfigFile, report: Reporter): void {
  const { limits, server } = file;
  const least = limits.outbox_soft_bytes + server.max_message_bytes;
  if (limits.outbox_hard_bytes < least) {
    const message = "it has to hold limits.outbox_soft_bytes and one message of server.max_message_bytes";
    report.problem(["limits", "outbox_hard_bytes"], message, `write at least ${least}`);
  }
  if (limits.memory_bytes !== 0 && limits.memory_bytes < MEMORY_BYTES_MIN) {
    const message = "an engine at rest takes about half of 128 MiB";
    report.problem(["limits", "memory_bytes"], message, `write at least ${MEMORY_BYTES_MIN}, or 0`);
  }
  if (limits.calls_in_flight_per_connection > limits.calls_in_flight) {
    const message = "more than the bound of the whole engine";
    report.problem(
      ["limits", "calls_in_flight_per_connection"],
      message,
      `write at most ${limits.calls_in_flight}`,
    );
  }
}

export function checkListeners(
  listeners: readonly { readonly path: Path; readonly listener: Pick<Listener, "name" | "host" | "port"> }[],
  report: Reporter,
): void {
  const taken = new Map<string, string>();
  for (const { path, listener } of listeners) {
    if (listener.port === 0) continue;
    const address = `${listener.host}:${listener.port}`;
    const owner = taken.get(address);
    if (owner !== undefined)
      report.problem(path, `${address} is already the address of listener ${owner}`, "choose another port");
    else taken.set(address, listener.name);
  }
}

/** `names`: of every entry, those that could not be read included: who depends on one of them is not wrong for it. */
export function checkWorkers(
  workers: Classified["workers"],
  names: ReadonlySet<string>,
  file: ConfigFile,
  report: Reporter,
): void {
  if (workers.length > LIMITS.workersMax)
    report.problem(["workers"], `${workers.length} workers are declared`, `at most ${LIMITS.workersMax}`);
  for (const { path, spec } of workers) {
    for (const { name } of spec.depends_on) {
      if (!names.has(name))
        report.problem(
          [...path, "depends_on"],
          `there is no worker named ${JSON.stringify(name)}`,
          suggestion(name, names),
        );
    }
    if (spec.replicas > 1 && !file.functions.some((rule) => rule.share !== undefined)) {
      report.warning(
        [...path, "replicas"],
        `the functions of ${spec.name} are not shared by any pattern in functions: only one of its ${spec.replicas} processes serves them unless it registers them as shared; the others stand by`,
      );
    }
  }
  reportCycles(workers, report);
}

function suggestion(name: string, names: Iterable<string>): string {
  const near = nearest(name, names);
  return near === undefined ? "name a worker that has a command" : `did you mean ${JSON.stringify(near)}?`;
}

/** Depth-first walk; a worker met again while still open closes a cycle, which is told as a whole path. */
function reportCycles(workers: Classified["workers"], report: Reporter): void {
  const byName = new Map(workers.map((worker) => [worker.spec.name, worker]));
  const done = new Set<string>();
  const visit = (name: string, trail: readonly string[]): void => {
    const worker = byName.get(name);
    if (worker === undefined || done.has(name)) return;
    const at = trail.indexOf(name);
    if (at !== -1) {
      report.problem(
        [...worker.path, "depends_on"],
        `workers wait for each other: ${[...trail.slice(at), name].join(" -> ")}`,
        "remove one of these dependencies",
      );
      done.add(name);
      return;
    }
    for (const dependency of worker.spec.depends_on) visit(dependency.name, [...trail, name]);
    done.add(name);
  };
  for (const name of byName.keys()) visit(name, []);
}
