// `tercet call`: one call of a function, its result on standard output.
import { type Command, ENGINE_OPTIONS, UsageError } from "./command.js";
import { withEngine } from "./engine-client.js";
import { ExitCode } from "./exit-codes.js";

export const command: Command = {
  summary: "Calls a function and prints its result.",
  usage: "call FUNCTION [JSON | KEY=VALUE …]",
  details:
    "The payload is one JSON value, or an object of KEY=VALUE words whose values are JSON where they can be read as such and text otherwise; without either it is {}. The result is indented JSON; with --json it is one line. An empty result prints nothing.",
  options: {
    ...ENGINE_OPTIONS,
    namespace: {
      type: "string",
      short: "n",
      value: "NAME",
      about: "Namespace of the function; default `default`.",
    },
  },
  run: async (line, io) => {
    const [functionId, ...words] = line.rest;
    if (functionId === undefined)
      throw new UsageError("which function? write: tercet call math::add a=2 b=3");
    const payload = payloadOf(words);
    const result = await withEngine(line, io, (engine) =>
      engine.call(functionId, payload, line.text("namespace") ?? "default"),
    );
    if (result !== null && result !== undefined)
      io.out(`${JSON.stringify(result, jsonable, line.flag("json") ? undefined : 2)}\n`);
    return ExitCode.Ok;
  },
};

/** The words behind the function. Throws UsageError. */
export function payloadOf(words: readonly string[]): unknown {
  const [only] = words;
  if (only === undefined) return {};
  if (words.length === 1 && !/^[^\s{["=]+=/.test(only)) return jsonOf(only);
  const pairs = words.map((word): [string, unknown] => {
    const at = word.indexOf("=");
    if (at < 1) throw new UsageError(`${JSON.stringify(word)} is no KEY=VALUE`);
    return [word.slice(0, at), readValue(word.slice(at + 1))];
  });
  return Object.fromEntries(pairs);
}

function jsonOf(word: string): unknown {
  try {
    return JSON.parse(word);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UsageError(`${JSON.stringify(word)} is neither JSON (${error.message}) nor KEY=VALUE`);
  }
}

function readValue(word: string): unknown {
  try {
    return JSON.parse(word);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return word;
  }
}

/** What msgpack can carry and JSON cannot: big integers in digits, bytes in base64. */
function jsonable(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
}
