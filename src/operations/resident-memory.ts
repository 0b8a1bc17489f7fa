// The resident memory of this process. The system tells it through a file, and a process without a file descriptor left cannot open one: it is told what was
// read last, for the engine must outlive that.

let lastBytes = 0;

/** In bytes. `read` is for tests. */
export function residentBytes(read: () => number = process.memoryUsage.rss): number {
  try {
    lastBytes = read();
  } catch (error) {
    if (!isOutOfDescriptors(error)) throw error;
  }
  return lastBytes;
}

function isOutOfDescriptors(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EMFILE" || error.code === "ENFILE");
}
