// Who may use the functions that control the engine and its workers rather than call them.

import { CodedError, ErrorCode } from "../protocol/error.js";
import type { Session } from "./session.js";

/** What {@link checkMayControl} looks at. */
export interface Controller {
  readonly session: Pick<Session, "policy"> | null;
  readonly connection: { readonly address: string };
}

/**
 * Who may start and stop processes, read their output and change what is configured: whoever a listener's rules let, and where there are no rules, whoever is on
 * this machine. A port that was opened to a network for workers is thereby not open to its operators' functions. Throws CodedError FORBIDDEN.
 */
export function checkMayControl(id: string, caller: Controller | undefined): void {
  if (caller === undefined) return; // the engine itself
  const isGranted = caller.session !== null && caller.session.policy.exposed !== null; // the rules were asked before the call came here
  if (isGranted || isLoopback(caller.connection.address)) return;
  throw new CodedError(
    ErrorCode.Forbidden,
    `${id} is for callers on the engine's machine, or through a listener whose rules (rbac, access) allow it`,
  );
}

export function isLoopback(address: string): boolean {
  return (
    address === "::1" ||
    /^(?:::ffff:)?127\.|^(?:0000:){5}ffff:7f|^0000:0000:0000:0000:0000:0000:0000:0001$/.test(address)
  );
}
