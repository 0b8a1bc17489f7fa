// `tercet reload`: lets a running engine read its configuration file again.
import { type Command, ENGINE_OPTIONS } from "./command.js";
import { withEngine } from "./engine-client.js";
import { outcomeCode, outcomeText } from "./outcome.js";
import { rowOf } from "./replies.js";

export const command: Command = {
  summary: "Lets the engine read its configuration file again and make it true.",
  usage: "reload",
  details:
    "Exit code 1 when nothing was applied: the file is invalid, or a change needs a restart of the engine. What an invalid file does to the engine is reload.on_invalid's to say.",
  options: ENGINE_OPTIONS,
  run: async (line, io) => {
    const outcome = await withEngine(line, io, async (engine) =>
      rowOf(await engine.call("engine::config::reload", {})),
    );
    io.out(line.flag("json") ? `${JSON.stringify(outcome, null, 2)}\n` : outcomeText(outcome, "applied"));
    return outcomeCode(outcome);
  },
};
