// What a function takes and gives, said by a schema of any library that speaks Standard Schema (zod,
// valibot, arktype, …) or by a plain JSON Schema. No such library is imported.
//
// A Standard Schema checks every value and types the handler; its JSON Schema, for the registry, comes from the
// schema itself (zod 4.2 and newer) or from the `toJSONSchema` option. A plain JSON Schema is only shown.

import { WorkerError } from "./errors.js";

/** https://standardschema.dev, as much of it as is used here. */
export interface StandardSchema<Input = unknown, Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Validated<Output> | Promise<Validated<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
    readonly jsonSchema?: {
      readonly input: (options: { target: "draft-2020-12" }) => Record<string, unknown>;
      readonly output: (options: { target: "draft-2020-12" }) => Record<string, unknown>;
    };
  };
}

export type Validated<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

export interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly "~standard"?: never;
}

/** Makes a JSON Schema of a Standard Schema that cannot do so by itself. */
export type ToJsonSchema = (schema: StandardSchema, side: "input" | "output") => Record<string, unknown>;

function isStandardSchema(schema: object): schema is StandardSchema {
  return "~standard" in schema && typeof schema["~standard"] === "object";
}

/** The JSON Schema for the registry; undefined when there is none to show. */
export function jsonSchemaOf(
  schema: StandardSchema | JsonSchema | undefined,
  side: "input" | "output",
  convert: ToJsonSchema | undefined,
): Readonly<Record<string, unknown>> | undefined {
  if (schema === undefined) return undefined;
  if (!isStandardSchema(schema)) return schema;
  if (convert !== undefined) return convert(schema, side);
  return schema["~standard"].jsonSchema?.[side]({ target: "draft-2020-12" });
}

/** Checks one value and gives what the schema made of it; a promise only where the schema is asynchronous. */
export type Check = (value: unknown) => unknown;

/** `code` is what the caller gets when the value does not fit. */
export function checkOf(schema: StandardSchema | JsonSchema | undefined, code: string): Check | undefined {
  if (schema === undefined || !isStandardSchema(schema)) return undefined;
  const standard = schema["~standard"];
  return (value) => {
    const validated = standard.validate(value);
    if (validated instanceof Promise) return validated.then((settled) => outcome(settled, code));
    return outcome(validated, code);
  };
}

/** A value did not fit its schema: `request_invalid` or `response_invalid`. */
export class SchemaError extends WorkerError {
  readonly issues: readonly { message: string; path: string }[];

  constructor(code: string, issues: readonly { message: string; path: string }[]) {
    super(
      code,
      issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; "),
    );
    this.issues = issues;
  }
}

function outcome(validated: Validated<unknown>, code: string): unknown {
  if (validated.issues === undefined) return validated.value;
  throw new SchemaError(
    code,
    validated.issues.map(({ message, path }) => ({ message, path: pathOf(path) })),
  );
}

function pathOf(path: SchemaIssue["path"]): string {
  return (path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".");
}
