// From what config.yaml says about a listener to the engine's options: secrets and keys are fetched here, once, at start.
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type {
  AccessOptions,
  JwtOptions,
  KnownCertificate,
  RbacOptions,
  StaticToken,
} from "../access/options.js";
import type { GrantedRights } from "../access/rights.js";
import { type FunctionRule, readRule } from "../access/rules.js";
import type { Rate } from "../access/token-bucket.js";
import type { Listener } from "../config/entries.js";
import type { ListenerRules, WrittenAccess, WrittenRights, WrittenRule } from "../config/listener-schema.js";
import { ConfigError } from "../config/problem.js";

type Environment = Readonly<Record<string, string | undefined>>;

export interface Surroundings {
  /** The configuration file; undefined when there is none. */
  file: string | undefined;
  env: Environment;
}

/** Undefined when the listener has no rules. Throws ConfigError when a secret or a key cannot be had. */
export function accessOptions({ name, rules }: Listener, around: Surroundings): AccessOptions | undefined {
  if (rules === undefined) return undefined;
  const { rbac, middleware_function_id, access } = rules;
  return {
    ...(rbac == null ? {} : { rbac: rbacOptions(rbac) }),
    ...(middleware_function_id == null ? {} : { middlewareFunctionId: middleware_function_id }),
    ...(access === undefined ? {} : ownOptions(access, name, around)),
  };
}

function rbacOptions(rbac: NonNullable<ListenerRules["rbac"]>): RbacOptions {
  const ids = {
    authFunctionId: rbac.auth_function_id,
    onFunctionRegistrationFunctionId: rbac.on_function_registration_function_id,
    onTriggerRegistrationFunctionId: rbac.on_trigger_registration_function_id,
    onTriggerTypeRegistrationFunctionId: rbac.on_trigger_type_registration_function_id,
  };
  const given = Object.entries(ids).filter(([, id]) => id != null);
  return { ...Object.fromEntries(given), exposeFunctions: rbac.expose_functions.map(ruleOf) };
}

/** The schema has read it already: what is no rule never comes here. */
function ruleOf(entry: unknown): FunctionRule {
  const rule = readRule(entry);
  if (typeof rule === "string") throw new Error(rule);
  return rule;
}

function ownOptions(access: WrittenAccess, listener: string, around: Surroundings): Partial<AccessOptions> {
  const { tokens, certificates, jwt, rate, auth_timeout_ms, auth_cache_ms, hook_timeout_ms } = access;
  const isAboutOthers = certificates.length > 0 || jwt !== undefined || rate !== undefined;
  return {
    ...(certificates.length === 0 ? {} : { certificates: certificates.map(certificateOf) }),
    ...(tokens.length === 0 && isAboutOthers ? {} : { tokens: tokens.map(tokenOf) }),
    ...(rate === undefined ? {} : { rate: rateOf(rate) }),
    ...(jwt === undefined ? {} : { jwt: jwtOptions(jwt, listener, around) }),
    ...(auth_timeout_ms === undefined ? {} : { authTimeoutMs: auth_timeout_ms }),
    ...(auth_cache_ms === undefined ? {} : { authCacheMs: auth_cache_ms }),
    ...(hook_timeout_ms === undefined ? {} : { hookTimeoutMs: hook_timeout_ms }),
  };
}

function tokenOf(token: WrittenAccess["tokens"][number]): StaticToken {
  const sha256 = Buffer.from(token.token_sha256 ?? "", "hex"); // the configuration keeps digests only
  return { name: token.name, sha256, rights: granted(token) };
}

function certificateOf(written: WrittenAccess["certificates"][number]): KnownCertificate {
  const { name, common_name, fingerprint_sha256 = "" } = written;
  const match =
    common_name === undefined ? { fingerprintSha256: fingerprint_sha256 } : { commonName: common_name };
  return { name, match, rights: granted(written) };
}

function jwtOptions(
  jwt: NonNullable<WrittenAccess["jwt"]>,
  listener: string,
  around: Surroundings,
): JwtOptions {
  const { algorithms, issuer, audience, clock_tolerance_s, rules } = jwt;
  return {
    key: keyOf(jwt, listener, around),
    algorithms,
    clockToleranceS: clock_tolerance_s,
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
    rules: rules.map((rule) => ({ claims: rule.claims, rights: granted(rule) })),
  };
}

function keyOf(
  { secret_env, public_key_file, jwks_url }: NonNullable<WrittenAccess["jwt"]>,
  listener: string,
  { file, env }: Surroundings,
): JwtOptions["key"] {
  const problem = (message: string): ConfigError =>
    new ConfigError([
      { file: file ?? "config.yaml", line: 0, column: 0, message: `listener ${listener}: ${message}` },
    ]);
  if (jwks_url !== undefined) return { jwksUrl: jwks_url };
  if (secret_env !== undefined) {
    const secret = env[secret_env];
    if (secret === undefined || secret === "")
      throw problem(`the variable ${secret_env} of access.jwt.secret_env is not set`);
    return { secret };
  }
  const path = resolve(file === undefined ? "." : dirname(file), public_key_file ?? "");
  try {
    return { publicKeyPem: readFileSync(path, "utf8") };
  } catch (cause) {
    throw problem(
      `access.jwt.public_key_file cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  }
}

function granted(written: WrittenRights): GrantedRights {
  const { call, deny, trigger_types, namespaces, prefix, context } = written;
  return {
    call: call === "all" ? "all" : call.map(grantOf),
    deny: deny.map(grantOf),
    registerFunctions: written.register_functions,
    registerTriggerTypes: written.register_trigger_types,
    triggerTypes: trigger_types,
    namespaces,
    context,
    ...(prefix === undefined ? {} : { prefix }),
    ...(written.rate === undefined ? {} : { rate: rateOf(written.rate) }),
  };
}

function rateOf({ calls_per_s, burst }: NonNullable<WrittenRights["rate"]>): Rate {
  return { callsPerS: calls_per_s, burst };
}

function grantOf(rule: WrittenRule): FunctionRule {
  return typeof rule === "string" ? ruleOf({ match: rule }) : ruleOf(rule);
}
