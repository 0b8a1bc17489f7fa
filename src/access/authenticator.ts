// Who is it, and what may they do? Static tokens first, then JSON Web Tokens, client certificates, and the listener's auth function; whoever none of
// them knows is refused. Everything that goes wrong on the way is a refusal, and so is taking too long.

import type { Clock } from "../clock.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import { AUTH_TIMEOUT_MS } from "../protocol/limits.js";
import { DEFAULT_NAMESPACE } from "../registry/names.js";
import { matches } from "../registry/share.js";
import type { ClientCertificate } from "../transport/certificates.js";
import type { UpgradeRequest } from "../transport/upgrade-request.js";
import { AuthCache } from "./auth-cache.js";
import { bearerOf } from "./bearer.js";
import type { InsideCaller } from "./inside-caller.js";
import { JwtVerifier } from "./jwt.js";
import type { AccessOptions, KnownCertificate } from "./options.js";
import { grantRights, type Rights, readRights, UNASKED } from "./rights.js";
import { findToken } from "./tokens.js";

export interface Admitted {
  rights: Rights;
  subject: string | null;
}

export class Authenticator {
  readonly #options: AccessOptions;
  readonly #engine: InsideCaller;
  readonly #clock: Clock;
  readonly #cache: AuthCache;
  readonly #jwt: JwtVerifier | null;

  constructor(options: AccessOptions, engine: InsideCaller, clock: Clock) {
    this.#options = options;
    this.#engine = engine;
    this.#clock = clock;
    this.#cache = new AuthCache(clock, options.authCacheMs ?? 0);
    this.#jwt = options.jwt === undefined ? null : new JwtVerifier(options.jwt);
  }

  /** Settles within the time that the listener allows. Rejects with CodedError AUTH_ERROR. */
  async authenticate(request: UpgradeRequest): Promise<Admitted> {
    const boundMs = this.#options.authTimeoutMs ?? AUTH_TIMEOUT_MS;
    let stop = (): void => undefined;
    const tooLate = new Promise<never>((_, reject) => {
      stop = this.#clock.after(boundMs, () => reject(refused(`Not decided within ${boundMs} ms`)));
    });
    try {
      return await Promise.race([this.#decide(request, boundMs), tooLate]);
    } catch (cause) {
      throw cause instanceof CodedError ? refused(cause.message) : cause;
    } finally {
      stop();
    }
  }

  async #decide(request: UpgradeRequest, boundMs: number): Promise<Admitted> {
    const { tokens = [], certificates = [], rbac } = this.#options;
    const bearer = bearerOf(request);
    const token = bearer === undefined ? undefined : findToken(tokens, bearer);
    if (token !== undefined) return { rights: grantRights(token.rights), subject: token.name };
    const hasOthers = rbac?.authFunctionId !== undefined;
    if (this.#jwt !== null && bearer !== undefined && (looksLikeJwt(bearer) || !hasOthers)) {
      const { rights, subject } = await this.#jwt.verify(bearer);
      return { rights: grantRights(rights), subject };
    }
    const known = findCertificate(certificates, bearer === undefined ? request.certificate : null);
    if (known !== undefined)
      return { rights: grantRights(known.rights), subject: request.certificate?.commonName ?? known.name };
    if (rbac?.authFunctionId !== undefined) return this.#ask(rbac.authFunctionId, request, boundMs);
    if (tokens.length === 0 && this.#jwt === null && certificates.length === 0)
      return { rights: UNASKED, subject: null };
    if (bearer !== undefined) throw refused("The token is not known");
    throw refused(
      request.certificate === null ? "No token was shown" : "The certificate grants nothing here",
    );
  }

  async #ask(functionId: string, request: UpgradeRequest, boundMs: number): Promise<Admitted> {
    const { headers, queryParams, ipAddress, certificate } = request;
    const known = this.#cache.get(request);
    if (known !== undefined) return { rights: known, subject: null };
    const input = {
      headers,
      query_params: queryParams,
      ip_address: ipAddress,
      ...(certificate === null ? {} : { client_certificate: shownCertificate(certificate) }),
    };
    const answer = await this.#engine.call(DEFAULT_NAMESPACE, functionId, JSON.stringify(input), boundMs);
    const rights = readRights(answer === null ? null : JSON.parse(answer));
    this.#cache.set(request, rights);
    return { rights, subject: null };
  }
}

/** As an auth function gets it. */
function shownCertificate({ commonName, subject, fingerprintSha256 }: ClientCertificate): object {
  return { common_name: commonName, subject, fingerprint_sha256: fingerprintSha256 };
}

function findCertificate(
  known: readonly KnownCertificate[],
  shown: ClientCertificate | null,
): KnownCertificate | undefined {
  if (shown === null) return undefined;
  return known.find(
    ({ match }) =>
      "commonName" in match
        ? shown.commonName !== "" && matches(match.commonName, shown.commonName)
        : match.fingerprintSha256 === shown.fingerprintSha256, // no secret: whoever sees the handshake sees it
  );
}

function refused(message: string): CodedError {
  return new CodedError(ErrorCode.AuthError, message);
}

/** Three parts of base64url. */
function looksLikeJwt(text: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text);
}
