// The only importer of uWebSockets.js: finds a build that loads on this Node and this system, or says in one error why none does.
//
// The builds are unmodified official binaries, repackaged on npm. A static import would throw before we could explain, so candidates are
// required one after the other; the first whose `App` is a function is used. There is no silent fall-back to another WebSocket library: a slow
// engine that looks healthy is worse than an error.

import type * as UwsModule from "uWebSockets.js";
import type { HttpResponse, WebSocket } from "uWebSockets.js";
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

/** What every build has and the declarations lack. */
declare module "uWebSockets.js" {
  interface TemplatedApp {
    listen(
      host: string,
      port: number,
      options: number,
      done: (socket: us_listen_socket | false) => void,
    ): TemplatedApp;
    /** Names the app to another one, which may be of another thread. */
    getDescriptor(): number;
    /** Hands every socket that this app accepts to one of its children, in turn. */
    addChildAppDescriptor(descriptor: number): TemplatedApp;
    removeChildAppDescriptor(descriptor: number): TemplatedApp;
  }
  interface HttpResponse {
    /** The verified certificate of the client, in PEM; "" when it showed none. */
    getX509Certificate(): string;
  }
  function _cfg(key: string): void;
}

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

/** From here on answers do not name the server and its version. */
export function silence(uws: Uws): void {
  uws._cfg("silent");
}

/** The Node ABIs for which `uWebSockets.js` (package @based/uws 6.0.1) carries uWebSockets.js 20.51.0, with which {@link WebSocketReading} was tried. */
const READING_ABIS: ReadonlySet<string> = new Set(["108", "115", "127", "131"]);

/** How often the idle timeout of resumed sockets is put off: it is 10 s, and swept in steps of 4 s. */
const PUT_OFF_MS = 4_000;

/**
 * Stops and starts reading from a WebSocket.
 *
 * uWebSockets.js offers `pause` and `resume` for HTTP responses only, though they do nothing but change what the socket is polled for, and its idle timeout,
 * and the socket under a response and the one under a WebSocket are the same structure. So the response's methods are called on the WebSocket: there
 * is no other way to stop reading from one. Done with the build that this was tried with, and with no other.
 *
 * `resume` gives the socket a response's idle timeout of 10 s, which ends with the next message. Until then it is put off by pausing and resuming again.
 */
export class WebSocketReading {
  readonly #pause: () => unknown;
  readonly #resume: () => unknown;
  readonly #resumed = new Set<WebSocket<unknown>>();
  #timer: NodeJS.Timeout | null = null;
  /** By whether the sockets speak TLS: the methods of the two kinds of response are not the same. */
  static readonly #made = new Map<boolean, WebSocketReading>();

  private constructor(response: HttpResponse) {
    this.#pause = response.pause;
    this.#resume = response.resume;
  }

  /** The one for the build in use; null where it cannot be done. `response`: any of a socket with, or without, TLS. */
  static of(response: HttpResponse, isTls: boolean): WebSocketReading | null {
    const chosen = process.env["TERCET_UWS"] ?? "";
    if (chosen !== "" || !READING_ABIS.has(process.versions.modules)) return null;
    const made = WebSocketReading.#made.get(isTls) ?? new WebSocketReading(response);
    WebSocketReading.#made.set(isTls, made);
    return made;
  }

  pause(socket: WebSocket<unknown>): void {
    this.settled(socket);
    this.#pause.call(socket);
  }

  resume(socket: WebSocket<unknown>): void {
    this.#resume.call(socket);
    this.#resumed.add(socket);
    this.#timer ??= setInterval(() => this.#putOff(), PUT_OFF_MS).unref();
  }

  /** A message came, or the socket closed: its idle timeout is the WebSocket's own again. */
  settled(socket: WebSocket<unknown>): void {
    this.#resumed.delete(socket);
  }

  #putOff(): void {
    for (const socket of this.#resumed) {
      this.#pause.call(socket);
      this.#resume.call(socket);
    }
    if (this.#resumed.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
