// What an engine is told about who may come through a listener, complete enough to be decided at start.

import type { GrantedRights } from "./rights.js";
import type { FunctionRule } from "./rules.js";
import type { Rate } from "./token-bucket.js";

/** A secret that stands for rights. */
export interface StaticToken {
  /** For the log; never the secret. */
  name: string;
  /** SHA-256 of the token, 32 bytes: the token itself is not kept. */
  sha256: Uint8Array;
  rights: GrantedRights;
}

/** A client certificate that stands for rights; the listener verifies it before anything else happens. */
export interface KnownCertificate {
  /** For the log. */
  name: string;
  /** A pattern of its common name, `*` for any characters; or its SHA-256 in lower-case hexadecimal digits. */
  match: { commonName: string } | { fingerprintSha256: string };
  rights: GrantedRights;
}

export interface JwtOptions {
  /** One of the three: a shared secret (HS*), a PEM public key, the address of a key set. */
  key: { secret: string } | { publicKeyPem: string } | { jwksUrl: string };
  /** The only ones accepted. */
  algorithms: readonly string[];
  issuer?: string;
  audience?: string;
  /** Clock difference that is forgiven, in seconds. Default 0. */
  clockToleranceS?: number;
  /** The first whose claims all agree says what the bearer may do; none: refused. */
  rules: readonly { claims: Readonly<Record<string, unknown>>; rights: GrantedRights }[];
}

export interface RbacOptions {
  authFunctionId?: string;
  exposeFunctions: readonly FunctionRule[];
  onFunctionRegistrationFunctionId?: string;
  onTriggerRegistrationFunctionId?: string;
  onTriggerTypeRegistrationFunctionId?: string;
}

/** The rules of one listener. Absent: whoever reaches the port may do everything. */
export interface AccessOptions {
  rbac?: RbacOptions;
  middlewareFunctionId?: string;
  tokens?: readonly StaticToken[];
  jwt?: JwtOptions;
  /** How many calls each session may make, where its rights do not say. Default: any number. */
  rate?: Rate;
  /** The first that matches says what its bearer may do, where it showed no token. */
  certificates?: readonly KnownCertificate[];
  /** How long a decision about who somebody is may take, in milliseconds. Default 10,000. */
  authTimeoutMs?: number;
  /** How long a hook may take, in milliseconds. Default 10,000. */
  hookTimeoutMs?: number;
  /** How long an auth function's consent holds for the same request, in milliseconds. Default 0: it is asked each time. */
  authCacheMs?: number;
}
