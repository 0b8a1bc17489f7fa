// `tercet status`: the engine, its listeners, its configuration and its workers on one screen.
import { type Command, ENGINE_OPTIONS } from "./command.js";
import { withEngine } from "./engine-client.js";
import { ExitCode } from "./exit-codes.js";
import { processTable } from "./ps.js";
import { number, type Row, rowOf, rowsOf, text } from "./replies.js";
import { age } from "./table.js";

export const command: Command = {
  summary: "Shows the engine, its configuration and its workers on one screen.",
  usage: "status",
  options: ENGINE_OPTIONS,
  run: async (line, io) => {
    const reply = await withEngine(line, io, async (engine) =>
      rowOf(await engine.call("engine::status", {})),
    );
    io.out(line.flag("json") ? `${JSON.stringify(reply, null, 2)}\n` : screen(reply));
    return ExitCode.Ok;
  },
};

function screen(reply: Row): string {
  const stats = rowOf(reply["stats"]);
  const listeners = rowsOf(reply, "listeners").map(
    (each) => `${text(each, "host")}:${text(each, "port")}${each["tls"] === true ? " (TLS)" : ""}`,
  );
  const workers = rowsOf(reply, "workers");
  const lines = [
    `engine     tercet ${text(reply, "version")}, pid ${text(reply, "pid")}, supervisor ${text(reply, "supervisor_pid", "being replaced")}, up ${age(number(reply, "started_ms"))}`,
    `listening  ${listeners.join(", ")}`,
    ...rowsOf(reply, "certificates").map(certificateText),
    `config     ${configText(rowOf(reply["config"]))}`,
    `connected  ${text(stats, "workers")} workers, ${text(stats, "functions")} functions, ${text(stats, "callsOpen")} calls open, ${text(stats, "callsOpened")} in all`,
  ];
  return `${lines.join("\n")}\n\n${workers.length === 0 ? "no workers are declared\n" : processTable(workers)}`;
}

function certificateText(certificate: Row): string {
  const { refused } = certificate;
  const until = new Date(number(certificate, "expires_ms")).toISOString();
  const line = `tls        port ${text(certificate, "port")}: ${text(certificate, "subject")}, until ${until}`;
  return typeof refused === "string" ? `${line}\n           NOT RENEWED: ${refused}` : line;
}

function configText(config: Row): string {
  const file = text(config, "file", "none: every key has its default");
  if (config["state"] === "invalid")
    return `${file}: INVALID, the last good one of ${age(number(config, "loaded_ms"))} ago is in force\n${text(config, "text")}`;
  if (config["state"] === "restart_needed")
    return `${file}: NOT APPLIED, restart the engine to change ${String(config["keys"])}`;
  return `${file}, in force for ${age(number(config, "loaded_ms"))}`;
}
