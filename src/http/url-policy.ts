// Which addresses HTTP functions may be sent to. Judged when one is registered and again at each call; the addresses that a name stands for
// are judged where the connection is made (client.ts), so that the address that was judged is the one that is used.

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { CodedError, ErrorCode } from "../protocol/error.js";
import { globOf } from "./glob.js";
import { isSpecialAddress } from "./special-address.js";

export interface HttpSecurity {
  /** Globs of hosts (`*`, `?`, `[…]`); empty: every host. */
  urlAllowlist: readonly string[];
  /** Default true. */
  blockPrivateIps: boolean;
  /** Default true. */
  requireHttps: boolean;
}

export const HTTP_SECURITY: HttpSecurity = { urlAllowlist: [], blockPrivateIps: true, requireHttps: true };

/** Every address of a name. Rejects when there is none. */
export type Resolve = (host: string) => Promise<readonly { address: string; family: number }[]>;

export const systemResolve: Resolve = (host) => lookup(host, { all: true, verbatim: true });

function refused(why: string): CodedError {
  return new CodedError(ErrorCode.UrlValidationFailed, why);
}

export class UrlPolicy {
  readonly security: HttpSecurity;
  readonly #resolve: Resolve;
  readonly #allowed: readonly RegExp[];

  constructor(security: HttpSecurity, resolve: Resolve) {
    this.security = security;
    this.#resolve = resolve;
    this.#allowed = security.urlAllowlist.map(globOf);
  }

  /** All that can be said without asking for the host's addresses. Throws CodedError `url_validation_failed`. */
  read(text: string): URL {
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url === null) throw refused("Invalid URL");
    if (this.security.requireHttps && url.protocol !== "https:") throw refused("HTTPS is required");
    if (url.hostname === "" || !["http:", "https:"].includes(url.protocol)) throw refused("Invalid URL");
    if (url.username !== "" || url.password !== "") throw refused("Invalid URL: it holds credentials");
    const host = bareHost(url);
    if (this.#allowed.length > 0 && !this.#allowed.some((glob) => glob.test(host)))
      throw refused("URL not in allowlist");
    if (this.security.blockPrivateIps && isIP(host) !== 0 && isSpecialAddress(host))
      throw refused("Private IP blocked");
    return url;
  }

  /** As read, and what its host stands for now. Rejects with CodedError. */
  async check(text: string): Promise<URL> {
    const url = this.read(text);
    const host = bareHost(url);
    if (this.security.blockPrivateIps && isIP(host) === 0) await this.addresses(host);
    return url;
  }

  /** The addresses that a connection to a host may go to: all of them, or none. Rejects with CodedError. */
  async addresses(host: string): Promise<readonly { address: string; family: number }[]> {
    let found: readonly { address: string; family: number }[];
    try {
      found = await this.#resolve(host);
    } catch {
      throw refused("DNS lookup failed");
    }
    if (found.length === 0) throw refused("DNS lookup failed");
    if (this.security.blockPrivateIps && found.some(({ address }) => isSpecialAddress(address)))
      throw refused("Private IP blocked");
    return found;
  }
}

/** The host without the brackets of an IPv6 address. */
function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "");
}
