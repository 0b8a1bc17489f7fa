// What is wrong with a value by its schema, in plain words: zod's issues as sentences with the path of what they are about.
import type { z } from "./zod.js";

export interface SchemaIssue {
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** Set when `path` ends in a key that is not known. */
  readonly unknownKey?: string;
  readonly isMissing?: boolean;
}

/** Reads `value` by `schema`: the result with all defaults, or every issue in plain words. */
export function readBySchema<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): { value: z.output<Schema> } | { issues: SchemaIssue[] } {
  const result = schema.safeParse(value, { reportInput: true });
  return result.success
    ? { value: result.data }
    : { issues: result.error.issues.flatMap((issue) => plainIssues(issue, [])) };
}

type Issue = z.core.$ZodIssue;

function plainIssues(issue: Issue, prefix: readonly (string | number)[]): SchemaIssue[] {
  const path = [...prefix, ...issue.path.map((step) => (typeof step === "number" ? step : String(step)))];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: `unknown key ${JSON.stringify(key)}`,
      unknownKey: key,
    }));
  }
  if (issue.code === "invalid_union") return unionIssues(issue, path);
  const isMissing = issue.code === "invalid_type" && issue.input === undefined;
  return [
    {
      path,
      message: isMissing ? "a required key is missing" : wording(issue),
      ...(isMissing ? { isMissing } : {}),
    },
  ];
}

/** Of the alternatives, the one that fits the kind of value that was written says what is wrong. */
function unionIssues(
  issue: Issue & { code: "invalid_union" },
  path: readonly (string | number)[],
): SchemaIssue[] {
  const isOfKind = (branch: Issue[]): boolean =>
    !branch.some((each) => each.path.length === 0 && isKindIssue(each));
  const fitting = issue.errors.find(isOfKind);
  if (fitting !== undefined) return fitting.flatMap((each) => plainIssues(each, path));
  const expected = issue.errors.flatMap((branch) => branch.slice(0, 1).map(expectation));
  return [{ path, message: `expected ${expected.join(", or ")}, found ${shown(issue.input)}` }];
}

/** An enum refuses a list or a mapping with "invalid_value"; for the choice of a branch that is a wrong kind. */
function isKindIssue(issue: Issue): boolean {
  if (issue.code === "invalid_type") return true;
  return issue.code === "invalid_value" && typeof issue.input !== "string";
}

function wording(issue: Issue): string {
  return `expected ${expectation(issue)}, found ${shown(issue.input)}`;
}

function expectation(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return KINDS[issue.expected] ?? `a value of type ${issue.expected}`;
    case "invalid_value":
      return issue.values.map((each) => String(each)).join(" | ");
    case "too_small":
      return `at least ${issue.minimum}${sizeUnit(issue.origin)}`;
    case "too_big":
      return `at most ${issue.maximum}${sizeUnit(issue.origin)}`;
    case "invalid_key":
      return "a name of letters, digits and _";
    default:
      return issue.message;
  }
}

const KINDS: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "text",
  boolean: "true or false",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};

function sizeUnit(origin: string): string {
  if (origin === "string") return " characters";
  return origin === "array" ? " items" : "";
}

const SHOWN_MAX = 60;

function shown(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  const written = typeof value === "string" ? `text ${JSON.stringify(value)}` : String(value);
  return written.length > SHOWN_MAX ? `${written.slice(0, SHOWN_MAX)}…` : written;
}
