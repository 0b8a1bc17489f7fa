// Triggers and trigger types of a session, before they are registered: may it, under which ids, and what do the listener's hooks say.
//
// Nobody without a session comes here. What a hook leaves alone keeps its spelling.

import type { Access } from "../access/access.js";
import type { Hooks } from "../access/hooks.js";
import { type Session, Verdict } from "../access/session.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import { cardMember } from "../registry/card.js";
import type { TriggerRequest } from "../registry/triggers.js";
import type { Worker } from "../registry/workers.js";
import type { Waiting } from "../transport/waiting.js";

/** A trigger type as it was asked for. */
export interface TypeRequest {
  id: string;
  namespace: string | undefined;
  /** UTF-8 of a JSON object, or empty. */
  card: Uint8Array;
}

export interface TriggerReviewOptions {
  access: Access;
  hooks: Hooks;
  waiting: Waiting;
}

export class TriggerReview {
  readonly #o: TriggerReviewOptions;

  constructor(options: TriggerReviewOptions) {
    this.#o = options;
  }

  /** What is to be registered; at once where no hook is asked. Throws, or rejects with, CodedError FORBIDDEN. */
  trigger(worker: Worker, asked: TriggerRequest): TriggerRequest | Promise<TriggerRequest> {
    const { session } = worker;
    if (session === null) return asked;
    if (!session.mayUseTriggerType(asked.type))
      throw new CodedError(
        ErrorCode.Forbidden,
        `trigger type '${asked.type}' not allowed (add to allowed_trigger_types)`,
      );
    const hook = session.policy.triggerHook;
    if (hook === null) return this.#allowed(worker, session, asked);
    return this.#hookedTrigger(session, hook, asked).then((hooked) => this.#allowed(worker, session, hooked));
  }

  /** As {@link trigger}, for several types of one record. */
  types(worker: Worker, asked: TypeRequest[]): TypeRequest[] | Promise<TypeRequest[]> {
    const { session } = worker;
    if (session === null) return asked;
    if (!session.rights.mayRegisterTriggerTypes)
      throw new CodedError(ErrorCode.Forbidden, "This session may not register trigger types");
    const hook = session.policy.triggerTypeHook;
    if (hook === null) return asked;
    return Promise.all(asked.map((one) => this.#hookedType(session, hook, one)));
  }

  /** Handles nothing more of a connection until `done` is; what it rejects with is our own mistake. */
  wait(worker: Worker, done: Promise<void>): void {
    worker.connection.pause();
    done.finally(() => this.#o.waiting.resume(worker.connection));
  }

  #allowed(worker: Worker, session: Session, asked: TriggerRequest): TriggerRequest {
    const functionId = session.prefixed(asked.functionId);
    const verdict = this.#o.access.verdictOfName(worker.connection.index, asked.namespace, functionId);
    if (verdict === Verdict.Allowed) return { ...asked, functionId };
    throw new CodedError(
      ErrorCode.Forbidden,
      `function '${functionId}' not allowed in namespace '${asked.namespace}'`,
    );
  }

  async #hookedTrigger(session: Session, hook: string, asked: TriggerRequest): Promise<TriggerRequest> {
    const config = jsonValue(asked.config);
    const { id, type, functionId, namespace } = asked;
    const wanted = { id, type, functionId, config, metadata: jsonValue(asked.metadata) };
    const { hookTimeoutMs } = session.policy;
    const { context } = session.rights;
    const answer = await this.#o.hooks.onTrigger(hook, hookTimeoutMs, wanted, namespace, context);
    return {
      ...asked,
      id: answer.id,
      type: answer.type,
      functionId: answer.functionId,
      config: answer.config === config ? asked.config : bytesOf(answer.config),
    };
  }

  async #hookedType(session: Session, hook: string, asked: TypeRequest): Promise<TypeRequest> {
    const card = Buffer.from(asked.card).toString("utf8");
    const spelled = card === "" ? undefined : cardMember(card, "description");
    const description: unknown = spelled === undefined ? "" : JSON.parse(spelled);
    const wanted = { id: asked.id, description: typeof description === "string" ? description : "" };
    const { hookTimeoutMs } = session.policy;
    const answer = await this.#o.hooks.onTriggerType(hook, hookTimeoutMs, wanted, session.rights.context);
    const members = ["trigger_request_format", "call_request_format"].flatMap((key) => {
      const json = card === "" ? undefined : cardMember(card, key);
      return json === undefined ? [] : [`"${key}":${json}`];
    });
    const described = `{${[`"description":${JSON.stringify(answer.description)}`, ...members].join(",")}}`;
    return { ...asked, id: answer.id, card: Buffer.from(described, "utf8") };
  }
}

/** The value of JSON text; undefined of none. */
function jsonValue(json: Uint8Array): unknown {
  return json.length === 0 ? undefined : JSON.parse(Buffer.from(json).toString("utf8"));
}

function bytesOf(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value ?? null), "utf8");
}
