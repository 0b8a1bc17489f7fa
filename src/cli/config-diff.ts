// `tercet config diff`: what a reload would do to a running engine, and nothing is touched.
import { readConfigText } from "../config/text.js";
import { type Command, ENGINE_OPTIONS } from "./command.js";
import { withEngine } from "./engine-client.js";
import { outcomeCode, outcomeText } from "./outcome.js";
import { rowOf } from "./replies.js";

export const command: Command = {
  summary: "Tells what a reload would do to the running engine.",
  usage: "config diff [FILE]",
  details:
    "What FILE holds stands in for the engine's own file; its variables and paths are the engine's. Exit code 1 when nothing could be applied.",
  options: ENGINE_OPTIONS,
  run: async (line, io) => {
    const [file] = line.rest;
    const input = file === undefined ? {} : { text: readConfigText(file), shown_as: file };
    const outcome = await withEngine(line, io, async (engine) =>
      rowOf(await engine.call("engine::config::plan", input)),
    );
    io.out(
      line.flag("json") ? `${JSON.stringify(outcome, null, 2)}\n` : outcomeText(outcome, "would be applied"),
    );
    return outcomeCode(outcome);
  },
};
