// `tercet restart`: drains, stops and starts declared workers.
import { type Command, ENGINE_OPTIONS } from "./command.js";
import { eachWorker } from "./each-worker.js";

export const command: Command = {
  summary: "Drains, stops and starts declared workers.",
  usage: "restart NAME…",
  details: "NAME is an entry of the configuration, or one of its processes (name#0).",
  options: { ...ENGINE_OPTIONS, "no-wait": { type: "boolean", about: "Do not wait until they are ready." } },
  run: (line, io) =>
    eachWorker("worker::restart", line, io, (name) => ({ name, wait: !line.flag("no-wait") })),
};
