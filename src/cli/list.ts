// `tercet list functions|workers|triggers|trigger-types`: what is registered with a running engine.
import { type Command, ENGINE_OPTIONS, UsageError } from "./command.js";
import { withEngine } from "./engine-client.js";
import { ExitCode } from "./exit-codes.js";
import { LISTINGS } from "./list-tables.js";
import { rowsOf } from "./replies.js";

export const command: Command = {
  summary: "Lists the functions, workers, triggers or trigger types that are registered.",
  usage: "list functions|workers|triggers|trigger-types [SEARCH]",
  options: {
    ...ENGINE_OPTIONS,
    all: { type: "boolean", short: "a", about: "The engine's own, too." },
  },
  run: async (line, io) => {
    const [what = "", search] = line.rest;
    const listing = Object.hasOwn(LISTINGS, what) ? LISTINGS[what] : undefined;
    if (listing === undefined)
      throw new UsageError(
        "list what? write: tercet list functions, or tercet list workers, triggers, trigger-types",
      );
    const input = {
      ...listing.input,
      ...(search === undefined ? {} : { search }),
      ...(line.flag("all") ? { include_internal: true } : {}),
    };
    const rows = await withEngine(line, io, async (engine) =>
      rowsOf(await engine.call(listing.functionId, input), listing.key),
    );
    if (line.flag("json")) io.out(`${JSON.stringify(rows, null, 2)}\n`);
    else io.out(rows.length === 0 ? `no ${what}\n` : listing.show(rows));
    return ExitCode.Ok;
  },
};
