// The shape of what stands under `config:` of the entries that are no processes: listeners with their rules of access, HTTP functions, telemetry.
//
// The keys of the reference keep their names and meaning (`rbac`, `middleware_function_id`, `security`); `access` is this engine's own.
import { isPrefix } from "../access/rights.js";
import { readRule } from "../access/rules.js";
import { globOf } from "../http/glob.js";
import { originsSchema, tlsSchema } from "./door-schema.js";
import { LIMITS } from "./limits.js";
import { z } from "./zod.js";

const name = z.string().min(1);
const ms = (least: number) => z.int().min(least).max(LIMITS.timerMsMax);

/** An entry of `expose_functions`: `match("…")`, or a mapping with match or metadata. */
const exposed = z.unknown().superRefine((entry, context) => {
  const rule = readRule(entry);
  if (typeof rule === "string") context.addIssue({ code: "custom", message: rule });
});

/** A rule of `access`: a pattern of ids in `default`, or a mapping as in `expose_functions`. */
const rule = z.union([
  name,
  z.strictObject({ match: name, namespace: name.optional() }),
  z.strictObject({
    metadata: z.record(z.string(), z.unknown()).refine((members) => Object.keys(members).length > 0, {
      message: "metadata must name at least one key",
    }),
    namespace: name.optional(),
  }),
]);

/** A token bucket: calls a second over time, and at once after a rest. */
const rate = z.strictObject({
  calls_per_s: z.number().positive().max(1e9),
  burst: z.number().min(1).max(1e9).optional(),
});

const rights = {
  call: z.union([z.literal("all"), z.array(rule)]).default([]),
  deny: z.array(rule).default([]),
  register_functions: z.boolean().default(false),
  register_trigger_types: z.boolean().default(false),
  trigger_types: z.union([z.literal("all"), z.array(name)]).default([]),
  namespaces: z.array(name).default([]),
  prefix: z
    .string()
    .refine(isPrefix, { message: "expected printable text without quotes and backslashes" })
    .optional(),
  context: z.unknown().default({}),
  rate: rate.optional(),
};

/** Shorter ones can be guessed. */
const TOKEN_CHARACTERS_MIN = 16;

const token = z
  .strictObject({
    name,
    token: z.string().min(TOKEN_CHARACTERS_MIN).optional(),
    token_sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, { message: "expected 64 lower-case hexadecimal digits" })
      .optional(),
    ...rights,
  })
  .refine((one) => (one.token === undefined) !== (one.token_sha256 === undefined), {
    message: "a token has either token or token_sha256",
  });

const certificate = z
  .strictObject({
    name,
    common_name: name.optional(),
    fingerprint_sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, { message: "expected 64 lower-case hexadecimal digits" })
      .optional(),
    ...rights,
  })
  .refine((one) => (one.common_name === undefined) !== (one.fingerprint_sha256 === undefined), {
    message: "a certificate has either common_name or fingerprint_sha256",
  });

const SHARED_SECRET = ["HS256", "HS384", "HS512"] as const;
const PUBLIC_KEY = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
] as const;

const jwt = z
  .strictObject({
    secret_env: name.optional(),
    public_key_file: name.optional(),
    jwks_url: z.url({ protocol: /^https?$/ }).optional(),
    algorithms: z.array(z.enum([...SHARED_SECRET, ...PUBLIC_KEY])).min(1),
    issuer: name.optional(),
    audience: name.optional(),
    clock_tolerance_s: z.int().min(0).max(300).default(0),
    rules: z
      .array(z.strictObject({ claims: z.record(z.string(), z.unknown()).default({}), ...rights }))
      .min(1),
  })
  .superRefine((one, context) => {
    const keys = [one.secret_env, one.public_key_file, one.jwks_url].filter((key) => key !== undefined);
    if (keys.length !== 1)
      context.addIssue({ code: "custom", message: "expected one of secret_env, public_key_file, jwks_url" });
    const fitting: readonly string[] = one.secret_env === undefined ? PUBLIC_KEY : SHARED_SECRET;
    // a public key taken for a shared secret would let everybody sign
    if (one.algorithms.some((algorithm) => !fitting.includes(algorithm)))
      context.addIssue({
        code: "custom",
        path: ["algorithms"],
        message: `expected algorithms for this kind of key: ${fitting.join(", ")}`,
      });
  });

const access = z.strictObject({
  rate: rate.optional(),
  tokens: z.array(token).default([]),
  certificates: z.array(certificate).default([]),
  jwt: jwt.optional(),
  auth_timeout_ms: ms(1).optional(),
  auth_cache_ms: ms(0).optional(),
  hook_timeout_ms: ms(1).optional(),
});

/** Unknown keys are let through, as in the reference. */
const rbac = z.looseObject({
  auth_function_id: name.nullish(),
  expose_functions: z.array(exposed).default([]),
  on_function_registration_function_id: name.nullish(),
  on_trigger_registration_function_id: name.nullish(),
  on_trigger_type_registration_function_id: name.nullish(),
});

/** `config` of an entry `iii-worker-manager`. */
export const listenerSchema = z.strictObject({
  port: z.int().min(0).max(65_535).default(49_134),
  host: name.optional(),
  handshake_timeout_ms: ms(1).optional(),
  tls: tlsSchema.optional(),
  origins: originsSchema.optional(),
  middleware_function_id: name.nullish(),
  rbac: rbac.nullish(),
  access: access.optional(),
});

const glob = name.refine(isGlob, { message: "expected a glob of host names" });

function isGlob(text: string): boolean {
  try {
    globOf(text);
    return true;
  } catch {
    return false; // the refinement tells
  }
}

/** `config` of an entry `iii-http-functions`. */
export const httpFunctionsSchema = z.strictObject({
  security: z
    .strictObject({
      url_allowlist: z.array(glob).default([]),
      block_private_ips: z.boolean().default(true),
      require_https: z.boolean().default(true),
      secrets: z.array(name).optional(),
    })
    .prefault({}),
});

/** What this engine reads of `config` of an entry `iii-observability`. */
export const observabilitySchema = z.looseObject({
  otlp_endpoint: z.url({ protocol: /^https?$/ }).optional(),
  otlp_headers: z.record(z.string(), z.string()).default({}),
});

type ListenerConfig = z.output<typeof listenerSchema>;
/** The rules of a listener, as written. */
export type ListenerRules = Pick<ListenerConfig, "rbac" | "middleware_function_id" | "access">;
export type WrittenAccess = z.output<typeof access>;
export type WrittenRights = z.output<z.ZodObject<typeof rights>>;
export type WrittenRule = z.output<typeof rule>;
export type HttpFunctionsConfig = z.output<typeof httpFunctionsSchema>;
export type ObservabilityConfig = Pick<
  z.output<typeof observabilitySchema>,
  "otlp_endpoint" | "otlp_headers"
>;
