// Which pages of a browser may connect. A page of any site can open a WebSocket to this machine, with the visitor's own address and
// client certificate; the browser says in `Origin` whose page it is, and does not let the page lie about that.
//
// A request without `Origin` comes from no page, and is none of this file's business.

import { isLoopbackHost, readAuthority } from "./hosts.js";

export type OriginRule =
  /** Every page. */
  | "*"
  /** Pages without an origin of their own: files, sandboxed frames. */
  | "null"
  /** `host` may begin with `*.`, `port` may be `*`; a scheme's usual port is "". */
  | { readonly scheme: string; readonly host: string; readonly port: string };

const USUAL_PORT: Readonly<Record<string, string>> = { http: "80", https: "443" };

/** A rule as it is written in the configuration; null for what is none. */
export function readOriginRule(text: string): OriginRule | null {
  if (text === "*" || text === "null") return text;
  const port = text.endsWith(":*") ? "*" : "";
  const origin = readOrigin(port === "" ? text : text.slice(0, -2));
  if (origin === null || origin.host.lastIndexOf("*") > 0) return null;
  if (origin.host.startsWith("*") && !origin.host.startsWith("*.")) return null; // whole labels only
  return port === "" ? origin : { ...origin, port };
}

function readOrigin(text: string): { scheme: string; host: string; port: string } | null {
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):\/\/(.+)$/i.exec(text) ?? [];
  const authority = rest === undefined ? null : readAuthority(rest);
  if (scheme === undefined || authority === null) return null;
  const lower = scheme.toLowerCase();
  const port = authority.port === USUAL_PORT[lower] ? "" : authority.port;
  return { scheme: lower, host: authority.host, port };
}

export class Origins {
  readonly #rules: readonly OriginRule[] | null;

  /** Null: pages of this machine, and no others. */
  constructor(rules: readonly OriginRule[] | null) {
    this.#rules = rules;
  }

  /** Whether a page of `origin`, the header as it came, may connect. */
  permits(origin: string): boolean {
    if (this.#rules?.includes("*") === true) return true;
    if (origin === "null") return this.#rules?.includes("null") === true;
    const read = readOrigin(origin);
    if (read === null) return false;
    if (this.#rules === null)
      return (read.scheme === "http" || read.scheme === "https") && isLoopbackHost(read.host);
    return this.#rules.some(
      (rule) =>
        typeof rule === "object" &&
        rule.scheme === read.scheme &&
        (rule.port === "*" || rule.port === read.port) &&
        hostMatches(rule.host, read.host),
    );
  }

  /** Whether pages of a host of this name may connect, by whatever scheme and port. */
  namesHost(host: string): boolean {
    if (this.#rules === null) return false;
    return this.#rules.some(
      (rule) => rule === "*" || (typeof rule === "object" && hostMatches(rule.host, host)),
    );
  }
}

function hostMatches(rule: string, host: string): boolean {
  return rule.startsWith("*.") ? host.endsWith(rule.slice(1)) : rule === host;
}
