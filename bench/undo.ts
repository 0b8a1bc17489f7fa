// What has to be undone however the process ends: child processes, temporary folders, a worktree.
//
// Node runs no exit handlers when a signal ends it, so Ctrl-C and a polite kill are turned into an exit here. What is undone
// must be synchronous: nothing else happens in an ending process.

const pending = new Set<() => void>();

const ENDINGS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

process.on("exit", undoAll);
for (const [signal, code] of Object.entries(ENDINGS)) {
  // The listener is told the name of the signal; the code is what a shell expects of it.
  process.on(signal, () => process.exit(code));
}

/** `undo` runs when the process ends, unless the returned function is called before. */
export function undoAtExit(undo: () => void): () => void {
  pending.add(undo);
  return () => pending.delete(undo);
}

/** The latest first, as they were built upon each other; one that fails does not keep the others from running. */
function undoAll(): void {
  for (const undo of [...pending].reverse()) {
    try {
      undo();
    } catch (error) {
      process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`);
    }
  }
  pending.clear();
}
