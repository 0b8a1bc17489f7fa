// A function of the engine's own: takes and gives JSON text, whoever calls it by whichever wire.

import { CodedError, ErrorCode } from "../protocol/error.js";
import { salvageEnvelope } from "../protocol/json/salvage.js";
import type { Worker } from "../registry/workers.js";

export interface Builtin {
  id: string;
  description: string;
  request_format?: object;
  response_format?: object;
  metadata?: object;
  /** A worker may register the id, and serves it until it leaves. Default false: the id is the engine's alone. */
  yields?: boolean;
  /**
   * `input`: the parsed payload (null when there is none). `caller`: undefined when it is the engine itself. `text`: gives the payload as it was
   * spelled, for values that are to be kept as they are. Returns JSON text, or null for no result. Throws CodedError.
   */
  handle: (
    input: unknown,
    caller: Worker | undefined,
    text: InputText,
  ) => string | null | Promise<string | null>;
}

export type InputText = () => string;

/** The input as an object; `deserialization_error` for anything else. Builtins want `{}` at least. */
export function objectInput(id: string, input: unknown): Record<string, unknown> {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw new CodedError(
      ErrorCode.DeserializationError,
      `Failed to deserialize input for ${id}: expected an object, found ${kindOf(input)}`,
    );
  }
  return { ...input };
}

/** An optional string of the input: absent and null are the same. */
export function optionalString(id: string, input: Record<string, unknown>, key: string): string | undefined {
  const value = input[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw wrongType(id, key, "a string", value);
  return value;
}

export function requiredString(id: string, input: Record<string, unknown>, key: string): string {
  const value = optionalString(id, input, key);
  if (value === undefined)
    throw new CodedError(
      ErrorCode.DeserializationError,
      `Failed to deserialize input for ${id}: missing field \`${key}\``,
    );
  return value;
}

export function optionalBoolean(id: string, input: Record<string, unknown>, key: string): boolean {
  const value = input[key];
  if (value === undefined || value === null) return false;
  if (typeof value !== "boolean") throw wrongType(id, key, "a boolean", value);
  return value;
}

export function optionalStrings(
  id: string,
  input: Record<string, unknown>,
  key: string,
): string[] | undefined {
  const value = input[key];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw wrongType(id, key, "an array of strings", value);
  return value.map((one: unknown) => {
    if (typeof one !== "string") throw wrongType(id, key, "an array of strings", one);
    return one;
  });
}

/** An optional whole number of the input from 0 to `max`: absent and null are the same. */
export function optionalWhole(
  id: string,
  input: Readonly<Record<string, unknown>>,
  key: string,
  max: number,
): number | undefined {
  const value = input[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new CodedError(
    ErrorCode.DeserializationError,
    `Failed to deserialize input for ${id}: ${key} must be a whole number from 0 to ${max}`,
  );
}

function wrongType(id: string, key: string, wanted: string, found: unknown): CodedError {
  return new CodedError(
    ErrorCode.DeserializationError,
    `Failed to deserialize input for ${id}: ${key} must be ${wanted}, not ${kindOf(found)}`,
  );
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : typeof value;
}

/** The spelling of one member of a JSON object; the last one when it stands there twice. Undefined when it does not. */
export function memberText(object: string, key: string): string | undefined {
  return salvageEnvelope(object).get(key);
}
