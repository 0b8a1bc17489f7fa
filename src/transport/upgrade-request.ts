// What a connection said when it asked for its upgrade: headers, query, address. Captured only where somebody is going to judge it.
//
// uWebSockets' request is dead when the upgrade handler returns, so everything is copied out of it. Nothing is decoded: a query value stays
// as it was spelled, and a header that is not ASCII is left out.

import type { ClientCertificate } from "./certificates.js";
import type { HttpRequest } from "./uws.js";

export interface UpgradeRequest {
  /** By lower-case name; of a repeated header the last one. */
  headers: Record<string, string>;
  /** By name, in order, not percent-decoded; `?a` has the value "". */
  queryParams: Record<string, string[]>;
  /** The TCP peer. */
  ipAddress: string;
  /** Verified; null where none was shown or none is asked for. */
  certificate: ClientCertificate | null;
}

export function readUpgrade(
  request: Pick<HttpRequest, "forEach" | "getQuery">,
  { address, certificate }: { address: string; certificate: ClientCertificate | null },
): UpgradeRequest {
  const headers: Record<string, string> = Object.create(null); // a header named __proto__ is a header
  request.forEach((name, value) => {
    if (isAscii(value)) headers[name.toLowerCase()] = value;
  });
  return { headers, queryParams: readQuery(request.getQuery() ?? ""), ipAddress: address, certificate };
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}

/** The pairs of a query string, undecoded. */
function readQuery(query: string): Record<string, string[]> {
  const params: Record<string, string[]> = Object.create(null);
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = equals === -1 ? pair : pair.slice(0, equals);
    const value = equals === -1 ? "" : pair.slice(equals + 1);
    const values = params[name];
    if (values === undefined) params[name] = [value];
    else values.push(value);
  }
  return params;
}
