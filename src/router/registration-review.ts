// JSON registrations that somebody has to look at first: those of a session (may it, under which id, what does the hook say), and those of HTTP
// functions (is the address allowed). All others never come here.

import type { Hooks } from "../access/hooks.js";
import type { Session } from "../access/session.js";
import type { HttpFunctions } from "../http/http-functions.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import type { Carry } from "../registry/functions.js";

/** A registration as it was asked for. What is not text in itself is JSON text, spelled as it came. */
export interface Draft {
  id: string;
  description: string | undefined;
  requestFormatJson: string | undefined;
  responseFormatJson: string | undefined;
  metadataJson: string | undefined;
  invocationJson: string | undefined;
}

/** A registration as it is to be entered. */
export interface Reviewed {
  id: string;
  card: Uint8Array;
  carry: Carry | null;
}

export class RegistrationReview {
  readonly #hooks: Hooks;
  readonly #http: HttpFunctions | null;

  /** `http` null: HTTP functions are not served. */
  constructor(hooks: Hooks, http: HttpFunctions | null) {
    this.#hooks = hooks;
    this.#http = http;
  }

  /** At once where nobody has to be asked. Throws, or rejects with, CodedError. */
  review(session: Session | null, namespace: string, draft: Draft): Reviewed | Promise<Reviewed> {
    if (session?.rights.mayRegisterFunctions === false)
      throw new CodedError(ErrorCode.Forbidden, "This session may not register functions");
    if (draft.invocationJson !== undefined && this.#http === null)
      throw new CodedError(
        ErrorCode.HttpFunctionsUnavailable,
        "HTTP functions are not served: the configuration has no entry iii-http-functions",
      );
    const hook = session?.policy.functionHook ?? null;
    if (hook === null && draft.invocationJson === undefined) return reviewed(session, draft, null);
    return this.#askAround(session, namespace, draft);
  }

  async #askAround(session: Session | null, namespace: string, draft: Draft): Promise<Reviewed> {
    const hooked = session === null ? draft : await this.#hooked(session, namespace, draft);
    if (hooked.invocationJson === undefined || this.#http === null) return reviewed(session, hooked, null);
    const id = session?.prefixed(hooked.id) ?? hooked.id;
    const carry = await this.#http.prepare(id, JSON.parse(hooked.invocationJson));
    return reviewed(session, hooked, carry);
  }

  async #hooked(session: Session, namespace: string, draft: Draft): Promise<Draft> {
    const { functionHook, hookTimeoutMs } = session.policy;
    if (functionHook === null) return draft;
    const metadata: unknown = draft.metadataJson === undefined ? undefined : JSON.parse(draft.metadataJson);
    const wanted = { id: draft.id, description: draft.description, metadata };
    const { context } = session.rights;
    const answer = await this.#hooks.onFunction(functionHook, hookTimeoutMs, wanted, namespace, context);
    return {
      ...draft,
      id: answer.id,
      description: answer.description,
      // what the hook left alone keeps its spelling
      metadataJson: answer.metadata === metadata ? draft.metadataJson : jsonOf(answer.metadata),
    };
  }
}

function jsonOf(value: unknown): string | undefined {
  return value === undefined ? undefined : JSON.stringify(value);
}

function reviewed(session: Session | null, draft: Draft, carry: Carry | null): Reviewed {
  const description = draft.description === undefined ? undefined : JSON.stringify(draft.description);
  const members = [
    ["description", description],
    ["request_format", draft.requestFormatJson],
    ["response_format", draft.responseFormatJson],
    ["metadata", draft.metadataJson],
  ].flatMap(([key, json]) => (json === undefined ? [] : [`"${key}":${json}`]));
  const card = Buffer.from(members.length === 0 ? "" : `{${members.join(",")}}`, "utf8");
  return { id: session?.prefixed(draft.id) ?? draft.id, card, carry };
}
