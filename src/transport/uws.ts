// The only importer of uWebSockets.js: finds a build that loads on this Node and this system, or says in one error why none does.
//
// The builds are unmodified official binaries, repackaged on npm. A static import would throw before we could explain, so candidates are
// required one after the other; the first whose `App` is a function is used. There is no silent fall-back to another WebSocket library: a slow
// engine that looks healthy is worse than an error.

import type * as UwsModule from "uWebSockets.js";
import { createRequire } from "node:module";

export type {
  AppOptions,
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  us_listen_socket,
  WebSocket,
} from "uWebSockets.js";
export type Uws = typeof UwsModule;

/** Asks for a port that no other process may share; missing in the declarations. */
export const LISTEN_EXCLUSIVE = 1;

export interface UwsBuild {
  uws: Uws;
  /** The package or path it came from. */
  from: string;
}

/** Where builds are looked for, in this order. `TERCET_UWS` names the only candidate. */
function candidates(): string[] {
  const chosen = process.env["TERCET_UWS"];
  if (chosen !== undefined && chosen !== "") return [chosen];
  const major = process.versions.node.split(".")[0] ?? "";
  return ["uWebSockets.js", `@uwsjs/${process.platform}-${process.arch}-${major}`];
}

function isUws(loaded: unknown): loaded is Uws {
  return typeof loaded === "object" && loaded !== null && "App" in loaded && typeof loaded.App === "function";
}

function glibc(): string {
  const report = process.report.getReport();
  const header: unknown =
    typeof report === "object" && report !== null && "header" in report ? report.header : undefined;
  if (typeof header === "object" && header !== null && "glibcVersionRuntime" in header)
    return `glibc ${String(header.glibcVersionRuntime)}`;
  return process.platform === "linux" ? "no glibc (musl?)" : "no glibc";
}

/** Loads uWebSockets.js. Throws one Error with the causes and the remedies when no build loads. */
export function loadUws(load: (name: string) => unknown = createRequire(import.meta.url)): UwsBuild {
  const causes: string[] = [];
  for (const from of candidates()) {
    try {
      const uws = load(from);
      if (isUws(uws)) return { uws, from };
      causes.push(`${from}: loaded, but has no App()`);
    } catch (cause) {
      causes.push(`${from}: ${cause instanceof Error ? cause.message.split("\n")[0] : String(cause)}`);
    }
  }
  throw new Error(
    `uWebSockets.js does not load on Node ${process.versions.node} (ABI ${process.versions.modules}), ${process.platform} ${process.arch}, ${glibc()}.\n` +
      causes.map((cause) => `  tried ${cause}\n`).join("") +
      "What helps: Node 20 or 22 (any glibc from 2.27 on); for Node 24 and 26 a system with glibc 2.38 or newer;\n" +
      "or an official build of uWebSockets.js, named by TERCET_UWS=/path/to/uws.js. musl (Alpine) is not served by any build.",
  );
}
