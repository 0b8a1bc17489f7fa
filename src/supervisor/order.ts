// Who comes before whom among declared workers: pure graph questions. Cycles were refused when the file was read.
import type { WorkerSpec } from "../config/entries.js";

type Declared = Pick<WorkerSpec, "name" | "depends_on">;

/** Everyone who waits for one of `names`, directly or through others; without `names` themselves. */
export function dependantsOf(names: ReadonlySet<string>, all: readonly Declared[]): Set<string> {
  const found = new Set<string>();
  let size = -1;
  while (found.size !== size) {
    size = found.size;
    for (const { name, depends_on } of all) {
      if (!names.has(name) && depends_on.some((each) => names.has(each.name) || found.has(each.name)))
        found.add(name);
    }
  }
  return found;
}

/** Runs `stop` for each of `names`, dependants before what they depend on, unrelated ones at the same time. */
export async function inReverseOrder(
  names: ReadonlySet<string>,
  all: readonly Declared[],
  stop: (name: string) => Promise<void>,
): Promise<void> {
  const running = new Map<string, Promise<void>>();
  const stopOnce = (name: string): Promise<void> => {
    const known = running.get(name);
    if (known !== undefined) return known;
    const before = all.filter(
      (each) => names.has(each.name) && each.depends_on.some((on) => on.name === name),
    );
    const stopping = Promise.all(before.map((each) => stopOnce(each.name))).then(() => stop(name));
    running.set(name, stopping);
    return stopping;
  };
  await Promise.all([...names].map(stopOnce));
}
