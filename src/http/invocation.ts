// The `invocation` of a registration: where and how an HTTP function is called. Read strictly: what is not understood is not sent anywhere.

import { CodedError, ErrorCode } from "../protocol/error.js";
import { CALL_TIMEOUT_MS_MAX } from "../protocol/limits.js";

export const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
export type Method = (typeof METHODS)[number];

/** Names of environment variables of the engine's process, not secrets. */
export type AuthWish =
  | { type: "hmac"; secret_key: string }
  | { type: "bearer"; token_key: string }
  | { type: "api_key"; header: string; value_key: string };

export interface Invocation {
  url: string;
  method: Method;
  timeoutMs: number;
  headers: Readonly<Record<string, string>>;
  auth: AuthWish | null;
}

/** Where a call carries no time of its own. */
const TIMEOUT_MS = 30_000;

/** Throws CodedError `deserialization_error`. */
export function readInvocation(value: unknown): Invocation {
  const fields = objectOf(value, "invocation");
  const { url, method = "POST", timeout_ms = null, headers, auth = null } = fields;
  if (typeof url !== "string") throw malformed("invocation.url must be a string");
  const known = METHODS.find((one) => one === method);
  if (known === undefined) throw malformed(`invocation.method must be one of ${METHODS.join(", ")}`);
  return {
    url,
    method: known,
    timeoutMs: timeout_ms === null ? TIMEOUT_MS : readTimeout(timeout_ms),
    headers: headers === undefined ? {} : readHeaders(headers),
    auth: auth === null ? null : readAuth(auth),
  };
}

function malformed(message: string): CodedError {
  return new CodedError(ErrorCode.DeserializationError, message);
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw malformed(`${what} must be an object`);
  return { ...value };
}

function readTimeout(value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0)
    throw malformed("invocation.timeout_ms must be an unsigned integer");
  return Math.min(value, CALL_TIMEOUT_MS_MAX);
}

function readHeaders(value: unknown): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, text] of Object.entries(objectOf(value, "invocation.headers"))) {
    if (typeof text !== "string") throw malformed(`invocation.headers.${name} must be a string`);
    checkHeader(name, text);
    headers[name] = text;
  }
  return headers;
}

/** Names that would change how the message itself is read. */
const FRAMING = new Set(["content-length", "transfer-encoding", "connection", "upgrade", "host", "expect"]);

function checkHeader(name: string, text: string): void {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(text))
    throw malformed(`invocation.headers.${JSON.stringify(name)} is no header`);
  if (FRAMING.has(name.toLowerCase())) throw malformed(`invocation.headers.${name} is set by the engine`);
}

function readAuth(value: unknown): AuthWish {
  const fields = objectOf(value, "invocation.auth");
  const text = (key: string): string => {
    const found = fields[key];
    if (typeof found !== "string") throw malformed(`invocation.auth.${key} must be a string`);
    return found;
  };
  switch (fields["type"]) {
    case "hmac":
      return { type: "hmac", secret_key: text("secret_key") };
    case "bearer":
      return { type: "bearer", token_key: text("token_key") };
    case "api_key": {
      const header = text("header");
      checkHeader(header, "");
      return { type: "api_key", header, value_key: text("value_key") };
    }
    default:
      throw malformed("invocation.auth.type must be hmac, bearer or api_key");
  }
}
