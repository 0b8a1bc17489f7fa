// JSON Web Tokens: who shows a valid one has the rights of the first rule that its claims agree with. The only importer of jose.
//
// The algorithms are those of the configuration and no others, whatever the token's own header says.

import { isDeepStrictEqual } from "node:util";
import { createRemoteJWKSet, errors, importSPKI, type JWTPayload, jwtVerify } from "jose";
import { CodedError, ErrorCode } from "../protocol/error.js";
import type { JwtOptions } from "./options.js";
import type { GrantedRights } from "./rights.js";

export interface Bearer {
  subject: string | null;
  rights: GrantedRights;
}

type Verify = (token: string) => Promise<JWTPayload>;

export class JwtVerifier {
  readonly #options: JwtOptions;
  #verify: Promise<Verify> | null = null;

  constructor(options: JwtOptions) {
    this.#options = options;
  }

  /** Who the token's bearer is. Rejects with CodedError AUTH_ERROR. */
  async verify(token: string): Promise<Bearer> {
    const payload = await this.#payload(token);
    const rule = this.#options.rules.find(({ claims }) => claimsAgree(claims, payload));
    if (rule === undefined) throw refused("no rule grants anything to its claims");
    return { subject: payload.sub ?? null, rights: rule.rights };
  }

  async #payload(token: string): Promise<JWTPayload> {
    this.#verify ??= makeVerify(this.#options);
    try {
      return await (await this.#verify)(token);
    } catch (cause) {
      if (cause instanceof errors.JOSEError) throw refused(cause.message);
      throw refused(`its key cannot be had: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }
}

function refused(why: string): CodedError {
  return new CodedError(ErrorCode.AuthError, `The token is refused: ${why}`);
}

async function makeVerify({
  key,
  algorithms,
  issuer,
  audience,
  clockToleranceS = 0,
}: JwtOptions): Promise<Verify> {
  const demands = {
    algorithms: [...algorithms],
    clockTolerance: clockToleranceS,
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  };
  if ("jwksUrl" in key) {
    const keys = createRemoteJWKSet(new URL(key.jwksUrl));
    return async (token) => (await jwtVerify(token, keys, demands)).payload;
  }
  const known =
    "secret" in key
      ? new TextEncoder().encode(key.secret)
      : await importSPKI(key.publicKeyPem, algorithms[0] ?? "RS256");
  return async (token) => (await jwtVerify(token, known, demands)).payload;
}

/** Every claim of a rule is in the token: equal, or one of the token's list, or one of the words of its text (as in `scope`). */
function claimsAgree(claims: Readonly<Record<string, unknown>>, payload: JWTPayload): boolean {
  return Object.entries(claims).every(([name, wanted]) => {
    if (!Object.hasOwn(payload, name)) return false;
    const found = payload[name];
    if (isDeepStrictEqual(found, wanted)) return true;
    if (Array.isArray(found)) return found.some((one) => isDeepStrictEqual(one, wanted));
    return name === "scope" && typeof found === "string" && found.split(" ").includes(String(wanted));
  });
}
