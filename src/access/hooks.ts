// Registration hooks: functions that look at what a session wants to register, may change it, and may forbid it.
//
// A hook answers with an object = allowed; anything else, also no answer in time, forbids. The keys it may change are those of the iii
// protocol; a key of another type than it should have is as if absent.

import { CodedError, ErrorCode } from "../protocol/error.js";
import { DEFAULT_NAMESPACE } from "../registry/names.js";
import type { InsideCaller } from "./inside-caller.js";

export interface HookedFunction {
  id: string;
  description: string | undefined;
  /** undefined: none. */
  metadata: unknown;
}

export interface HookedTrigger {
  id: string;
  type: string;
  functionId: string;
  config: unknown;
  metadata: unknown;
}

export interface HookedTriggerType {
  id: string;
  description: string;
}

type Answer = Record<string, unknown>;

export class Hooks {
  readonly #engine: InsideCaller;

  constructor(engine: InsideCaller) {
    this.#engine = engine;
  }

  /** What is to be registered instead. Rejects with CodedError FORBIDDEN. `namespace`: the registering connection's. */
  async onFunction(
    hook: string,
    timeoutMs: number,
    wanted: HookedFunction,
    namespace: string,
    context: unknown,
  ): Promise<HookedFunction> {
    const answer = await this.#ask(hook, timeoutMs, {
      function_id: wanted.id,
      description: wanted.description ?? null,
      metadata: wanted.metadata ?? null,
      namespace,
      context,
    });
    return {
      id: textOr(answer, "function_id", wanted.id),
      description: textOr(answer, "description", wanted.description),
      metadata: Object.hasOwn(answer, "metadata") ? (answer["metadata"] ?? undefined) : wanted.metadata,
    };
  }

  /** As onFunction. `namespace`: where the trigger's function is looked up. */
  async onTrigger(
    hook: string,
    timeoutMs: number,
    wanted: HookedTrigger,
    namespace: string,
    context: unknown,
  ): Promise<HookedTrigger> {
    const answer = await this.#ask(hook, timeoutMs, {
      trigger_id: wanted.id,
      trigger_type: wanted.type,
      function_id: wanted.functionId,
      config: wanted.config ?? null,
      metadata: wanted.metadata ?? null,
      namespace,
      context,
    });
    return {
      id: textOr(answer, "trigger_id", wanted.id),
      type: textOr(answer, "trigger_type", wanted.type),
      functionId: textOr(answer, "function_id", wanted.functionId),
      config: Object.hasOwn(answer, "config") ? answer["config"] : wanted.config,
      metadata: wanted.metadata,
    };
  }

  async onTriggerType(
    hook: string,
    timeoutMs: number,
    wanted: HookedTriggerType,
    context: unknown,
  ): Promise<HookedTriggerType> {
    const answer = await this.#ask(hook, timeoutMs, {
      trigger_type_id: wanted.id,
      description: wanted.description,
      context,
    });
    return {
      id: textOr(answer, "trigger_type_id", wanted.id),
      description: textOr(answer, "description", wanted.description),
    };
  }

  async #ask(hook: string, timeoutMs: number, input: object): Promise<Answer> {
    const answer = await this.#call(hook, timeoutMs, input);
    const value: unknown = answer === null ? null : JSON.parse(answer);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
    throw new CodedError(ErrorCode.Forbidden, `The hook ${hook} does not allow it`);
  }

  async #call(hook: string, timeoutMs: number, input: object): Promise<string | null> {
    try {
      return await this.#engine.call(DEFAULT_NAMESPACE, hook, JSON.stringify(input), timeoutMs);
    } catch (cause) {
      if (!(cause instanceof CodedError)) throw cause;
      throw new CodedError(ErrorCode.Forbidden, `The hook ${hook} does not allow it: ${cause.message}`);
    }
  }
}

function textOr<Fallback extends string | undefined>(
  answer: Answer,
  key: string,
  fallback: Fallback,
): string | Fallback {
  const value = answer[key];
  return typeof value === "string" ? value : fallback;
}
