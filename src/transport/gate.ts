// The door of one listener, for everything that comes through it: how many from where, pages of which origin, by whose certificate.
//
// It answers those it refuses, and gives the others a pass that is handed back when their WebSocket closes. What anybody may do behind the
// door is decided elsewhere (access/).

import { type ClientCertificate, readClientCertificate } from "./certificates.js";
import { isAddress, isLoopbackHost, readAuthority } from "./hosts.js";
import type { Origins } from "./origins.js";
import { answerPage, jsonPage } from "./pages.js";
import type { Refusals } from "./refusals.js";
import type { HttpRequest, HttpResponse, TemplatedApp } from "./uws.js";
import type { Visitor, Visitors } from "./visitors.js";

/** How much of an origin or a host is logged, in characters: enough to know whose it is; a stranger chooses how long it is. */
const SHOWN_CHARS_MAX = 200;

/** A WebSocket's permission to be here. */
export interface Pass {
  readonly gate: Gate;
  readonly visitor: Visitor;
  /** The TCP peer, as text. */
  readonly address: string;
  /** Who it is by its certificate; null where it showed none. */
  readonly certificate: ClientCertificate | null;
}

export interface GateOptions {
  readonly origins: Origins;
  /** Only this machine reaches the listener: so a request that names another host comes from a page that was lied to by a name server. */
  readonly isLoopback: boolean;
  readonly clientCertificate: "none" | "optional" | "required";
  readonly visitors: Visitors;
  readonly refusals: Refusals;
}

export class Gate {
  /** WebSockets that came through this gate and are open. */
  open = 0;
  /** Told when the last of them closes. */
  emptied: (() => void) | null = null;
  readonly #options: GateOptions;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Counts the sockets of an app from accept on, and sends away those that are too many. */
  watch(app: TemplatedApp): void {
    // biome-ignore lint/suspicious/useIterableCallbackReturn: this filter is uWebSockets' own, which returns nothing
    app.filter((res, change) => {
      if (change === 1) this.#came(res);
    });
  }

  #came(res: HttpResponse): void {
    const { visitors, refusals } = this.#options;
    const address = addressOf(res);
    const visitor = visitors.came(address);
    if (visitor === null) {
      refusals.tell("address", { address }, "sockets refused: too many from this address");
      res.close();
      return;
    }
    // uWebSockets drops this handler with the first request: so it is called for sockets that never made one, and for no others.
    res.onAborted(() => {
      visitors.gaveUp(visitor);
      refusals.handshakeFailed();
    });
  }

  /** An upgrade. Null: it was refused, and has been answered. */
  admit(res: HttpResponse, req: HttpRequest): Pass | null {
    const { visitors } = this.#options;
    const address = addressOf(res);
    const visitor = visitors.asked(address);
    const certificate = this.#certificateOf(res);
    const isAdmitted =
      this.#hasCertificate(res, certificate, address) &&
      this.#isPermittedOrigin(res, req, address) &&
      this.#hasRoom(res, visitor, address);
    if (!isAdmitted) {
      visitors.answered(visitor);
      return null;
    }
    this.open++;
    return { gate: this, visitor, address, certificate };
  }

  /** The WebSocket of a pass closed, or was never opened. */
  leave({ visitor }: Pass): void {
    this.#options.visitors.left(visitor);
    this.open--;
    if (this.open === 0) this.emptied?.();
  }

  /** Any other request; false: it was refused, and has been answered. */
  permits(res: HttpResponse, req: HttpRequest): boolean {
    const { visitors } = this.#options;
    const address = addressOf(res);
    visitors.answered(visitors.asked(address));
    return this.#hasCertificate(res, this.#certificateOf(res), address) && this.#isPermittedHost(res, req);
  }

  #certificateOf(res: HttpResponse): ClientCertificate | null {
    if (this.#options.clientCertificate === "none") return null;
    const pem = res.getX509Certificate();
    return pem === "" ? null : readClientCertificate(pem);
  }

  /** uWebSockets refuses certificates that do not verify by itself, but has no way to demand one. */
  #hasCertificate(res: HttpResponse, certificate: ClientCertificate | null, address: string): boolean {
    if (certificate !== null || this.#options.clientCertificate !== "required") return true;
    this.#options.refusals.tell(
      "certificate",
      { address },
      "request refused: no client certificate was shown",
    );
    refuse(res, "403 Forbidden", "a client certificate is required");
    return false;
  }

  #isPermittedOrigin(res: HttpResponse, req: HttpRequest, address: string): boolean {
    const origin = req.getHeader("origin");
    const { origins, refusals } = this.#options;
    if (origin === "" || origins.permits(origin)) return true;
    refusals.tell(
      "origin",
      { origin: origin.slice(0, SHOWN_CHARS_MAX), address },
      "page refused: its origin is not one of this listener's origins",
    );
    refuse(
      res,
      "403 Forbidden",
      "pages of this origin may not connect; the listener's origins say which may",
    );
    return false;
  }

  #hasRoom(res: HttpResponse, visitor: Visitor, address: string): boolean {
    if (this.#options.visitors.stays(visitor)) return true;
    this.#options.refusals.tell(
      "address",
      { address },
      "connection refused: too many are open from this address",
    );
    refuse(res, "429 Too Many Requests", "too many connections are open from this address");
    return false;
  }

  #isPermittedHost(res: HttpResponse, req: HttpRequest): boolean {
    const { isLoopback, origins, refusals } = this.#options;
    const written = req.getHeader("host");
    if (!isLoopback || written === "") return true;
    const host = readAuthority(written)?.host;
    if (host !== undefined && (isLoopbackHost(host) || isAddress(host) || origins.namesHost(host)))
      return true;
    refusals.tell(
      "host",
      { host: written.slice(0, SHOWN_CHARS_MAX) },
      "request refused: it names a host that is not this machine",
    );
    refuse(res, "421 Misdirected Request", "this listener serves this machine only, by its own names");
    return false;
  }
}

function refuse(res: HttpResponse, status: string, error: string): void {
  answerPage(res, jsonPage(status, { error }));
}

function addressOf(res: HttpResponse): string {
  return new TextDecoder().decode(res.getRemoteAddressAsText());
}
