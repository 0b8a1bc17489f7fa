// `tercet stop`: drains and stops declared workers.
import { type Command, ENGINE_OPTIONS } from "./command.js";
import { eachWorker } from "./each-worker.js";

export const command: Command = {
  summary: "Drains and stops declared workers.",
  usage: "stop NAME…",
  details: "NAME is an entry of the configuration, or one of its processes (name#0).",
  options: { ...ENGINE_OPTIONS },
  run: (line, io) => eachWorker("worker::stop", line, io, (name) => ({ name, yes: true })),
};
