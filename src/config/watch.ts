// The only door to chokidar: tells when files have changed and settled.
//
// The directory is watched rather than the file, because editors and Kubernetes replace files: in place, by renaming
// over, by deleting and creating, by swapping a symbolic link. Whatever happened, somebody looks again once it
// has been quiet for a while; what is in the file then decides.
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { watch } from "chokidar";

export interface Watching {
  /** Settles when changes from now on are seen. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

export interface WatchOptions {
  /** How long it must be quiet before `onSettled` is called. */
  readonly settleMs: number;
  /** Whether a path below is of no interest. */
  readonly ignore?: (path: string) => boolean;
  /** How many directories deep to look. Default: all. */
  readonly depth?: number;
}

/** Watches directories; `onSettled` gets the paths that changed since the last time. */
export function watchPaths(
  directories: readonly string[],
  options: WatchOptions,
  onSettled: (changed: readonly string[]) => void,
): Watching {
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const settle = (): void => {
    const paths = [...changed];
    changed.clear();
    onSettled(paths);
  };
  const { depth, ignore } = options;
  const chosen = {
    ...(depth === undefined ? {} : { depth }),
    ...(ignore === undefined ? {} : { ignored: ignore }),
  };
  // atomic off: it holds back a deletion to see whether a creation follows; settling does that for us
  const watcher = watch([...directories], { ignoreInitial: true, atomic: false, ...chosen });
  watcher.on("all", (_event, path) => {
    changed.add(path);
    clearTimeout(timer);
    timer = setTimeout(settle, options.settleMs);
  });
  const ready = new Promise<void>((resolve) => {
    watcher.once("ready", () => resolve());
  });
  const close = async (): Promise<void> => {
    clearTimeout(timer);
    await watcher.close();
  };
  return { ready, close };
}

const LOOK_EVERY_MS = 500; // notices of the system may get lost when files are replaced in quick succession; a look cannot

/**
 * Watches one file wherever its name leads: any change beside it counts, for a symbolic link may have been swapped.
 * Notices make it fast, a look at the file now and then makes it certain.
 */
export function watchFile(file: string, settleMs: number, onSettled: () => void): Watching {
  let seen = signature(file);
  const settled = (): void => {
    seen = signature(file);
    onSettled();
  };
  const watching = watchPaths([dirname(file)], { settleMs, depth: 0 }, settled);
  let changing: string | undefined;
  const look = setInterval(
    () => {
      const now = signature(file);
      if (now !== seen && now === changing) settled(); // the same twice: it has come to rest
      changing = now;
    },
    Math.max(LOOK_EVERY_MS, settleMs),
  );
  const close = (): Promise<void> => {
    clearInterval(look);
    return watching.close();
  };
  return { ready: watching.ready, close };
}

/** Changes when the file does, or another one takes its name. */
function signature(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (error) {
    if (error instanceof Error && "code" in error) return String(error.code); // gone, or out of reach: a state like others
    throw error;
  }
}
