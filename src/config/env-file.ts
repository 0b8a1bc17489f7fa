// Files of NAME=value lines, as `env_file` names them.
//
// One variable a line; blank lines and lines that begin with # are skipped; `export ` in front is allowed; a value
// may stand in single or double quotes, which are taken off. No expansion: what stands there is the value.
import { readBounded } from "./bounded-file.js";
import { LIMITS } from "./limits.js";

/** The variables of the file, or a sentence about why it cannot be used. */
export function readEnvFile(path: string): Record<string, string> | string {
  let bytes: Buffer;
  try {
    bytes = readBounded(path, LIMITS.envFileBytesMax);
  } catch (error) {
    return `cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (bytes.length > LIMITS.envFileBytesMax) return `${path} is longer than ${LIMITS.envFileBytesMax} bytes`;
  return parseEnv(bytes.toString("utf8"), path);
}

function parseEnv(text: string, path: string): Record<string, string> | string {
  const variables: Record<string, string> = {};
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(?:#.*)?$/.test(line)) continue;
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined)
      return `${path}:${index + 1}: not a NAME=value line`;
    variables[match[1]] = match[2].replace(/^(["'])(.*)\1$/, "$2");
  }
  return variables;
}
