// `tercet start`: starts declared workers and waits until they are ready.
import { type Command, ENGINE_OPTIONS } from "./command.js";
import { eachWorker } from "./each-worker.js";

export const command: Command = {
  summary: "Starts declared workers and waits until they are ready.",
  usage: "start NAME…",
  details: "NAME is an entry of the configuration, or one of its processes (name#0).",
  options: { ...ENGINE_OPTIONS, "no-wait": { type: "boolean", about: "Do not wait until they are ready." } },
  run: (line, io) => eachWorker("worker::start", line, io, (name) => ({ name, wait: !line.flag("no-wait") })),
};
