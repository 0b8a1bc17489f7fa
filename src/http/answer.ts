// What an HTTP response means as the outcome of a call: JSON text, no value, or a coded error.

import { CodedError, ErrorCode } from "../protocol/error.js";
import { JSON_DEPTH_MAX, JSON_INTEGER_DIGITS_MAX } from "../protocol/limits.js";
import type { HttpAnswer } from "./client.js";

const NOT_JSON = Symbol("not JSON");

/** The result as JSON text, null for none. Throws CodedError. */
export function outcomeOf({ status, statusText, body }: HttpAnswer): string | null {
  const text = Buffer.from(body).toString("utf8");
  const value = text.trim() === "" ? NOT_JSON : parsed(text);
  if (status >= 400) throw failure(status, statusText, value);
  if (value !== NOT_JSON) return value === null ? null : text.trim();
  if (status < 200 || status >= 300 || body.length === 0) return null;
  throw new CodedError(ErrorCode.InvalidResponse, "The response is not JSON");
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return isTooDeep(value, JSON_DEPTH_MAX - 1) || hasLongInteger(text) ? NOT_JSON : value;
  } catch {
    return NOT_JSON; // the caller decides what that means for this status
  }
}

/** Deeper values cannot be relayed in a frame that every worker can read. */
function isTooDeep(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  for (const member of Object.values(value)) if (isTooDeep(member, levels - 1)) return true;
  return false;
}

const LONG_INTEGER = new RegExp(`\\d{${JSON_INTEGER_DIGITS_MAX + 1}}`);

function hasLongInteger(json: string): boolean {
  return LONG_INTEGER.test(json) && LONG_INTEGER.test(json.replace(/"(?:[^"\\]|\\.)*"/g, ""));
}

function failure(status: number, statusText: string, value: unknown): CodedError {
  if (typeof value !== "object" || value === null || !("error" in value))
    return new CodedError(ErrorCode.HttpError, `HTTP ${status} ${statusText}`.trimEnd());
  const { error } = value;
  const fields: { code?: unknown; message?: unknown } =
    typeof error === "object" && error !== null ? error : {};
  return new CodedError(
    typeof fields.code === "string" ? fields.code : ErrorCode.HttpError,
    typeof fields.message === "string" ? fields.message : "HTTP request failed",
  );
}
