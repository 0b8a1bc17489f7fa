// How a request to an HTTP function proves who sends it. Secrets come from the environment of the engine, once, at registration.

import { createHmac } from "node:crypto";
import { CodedError, ErrorCode } from "../protocol/error.js";
import type { AuthWish } from "./invocation.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The headers that a body sent at `timestampS` needs. */
export type Sign = (timestampS: number, body: string) => Readonly<Record<string, string>>;

const UNSIGNED: Readonly<Record<string, string>> = {};

/** Throws CodedError `secret_not_found`, `token_not_found`, `api_key_not_found`. */
export function signerOf(auth: AuthWish | null, env: Environment): Sign {
  if (auth === null) return () => UNSIGNED;
  switch (auth.type) {
    case "hmac": {
      const secret = secretOf(env, auth.secret_key, ErrorCode.SecretNotFound);
      return (timestampS, body) => ({ "x-iii-Signature": signature(secret, timestampS, body) });
    }
    case "bearer": {
      const token = secretOf(env, auth.token_key, ErrorCode.TokenNotFound);
      return () => ({ Authorization: `Bearer ${token}` });
    }
    case "api_key": {
      const value = secretOf(env, auth.value_key, ErrorCode.ApiKeyNotFound);
      return () => ({ [auth.header]: value });
    }
  }
}

function secretOf(env: Environment, name: string, code: string): string {
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (value === undefined) throw new CodedError(code, `The environment variable ${name} is not set`);
  return value;
}

/** `sha256=` and the lower-case hexadecimal HMAC of `<timestamp>:<base64 of the body>`. */
export function signature(secret: string, timestampS: number, body: string): string {
  const signed = `${timestampS}:${Buffer.from(body, "utf8").toString("base64")}`;
  return `sha256=${createHmac("sha256", secret).update(signed).digest("hex")}`;
}
