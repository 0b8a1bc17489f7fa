// `tercet config print`: the configuration with every default filled in, secrets hidden.
import { loadConfig } from "../config/load.js";
import { writeYaml } from "../config/yaml.js";
import { type Command, JSON_OPTION } from "./command.js";
import { ExitCode } from "./exit-codes.js";

export const command: Command = {
  summary: "Prints the effective configuration: every default filled in, secrets hidden.",
  usage: "config print [FILE]",
  options: JSON_OPTION,
  run: async (line, io) => {
    const { warnings, ...config } = loadConfig(line.rest[0] ?? "config.yaml", io.env);
    const shown = withoutSecrets(JSON.parse(JSON.stringify(config)));
    io.out(line.flag("json") ? `${JSON.stringify(shown, null, 2)}\n` : writeYaml(shown));
    return ExitCode.Ok;
  },
};

const SECRET_NAME = /secret|token|passw|passphrase|credential|private|api_?key|_key$|^key$|auth/i;
const HIDDEN = "(hidden)";

/** Values under telling names, and passwords inside URLs, are replaced. */
function withoutSecrets(value: unknown, name = ""): unknown {
  if (typeof value === "string") return hide(value, name);
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, name));
  if (typeof value !== "object" || value === null)
    return SECRET_NAME.test(name) && value !== null ? HIDDEN : value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutSecrets(item, key)]));
}

function hide(text: string, name: string): string {
  if (SECRET_NAME.test(name)) return HIDDEN;
  if (name === "III_WORKER_CONFIG") return JSON.stringify(withoutSecrets(JSON.parse(text)));
  return text.replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*):[^\s/@]+@/gi, `$1:${HIDDEN}@`);
}
