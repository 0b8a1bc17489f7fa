// The bytes of a configuration file as text: a readable UTF-8 file of moderate size, or a sentence about what it is instead.
import { statSync } from "node:fs";
import { readBounded } from "./bounded-file.js";
import { LIMITS } from "./limits.js";
import { ConfigError } from "./problem.js";

/** The text of the file; refuses what is not a readable UTF-8 file of moderate size. */
export function readConfigText(path: string): string {
  const refuse = (message: string, hint: string): ConfigError =>
    new ConfigError([{ file: path, line: 0, column: 0, message, hint }]);
  let bytes: Buffer;
  try {
    const stat = statSync(path);
    if (stat.isDirectory())
      throw refuse("this is a directory", "name the file, for example with --config DIRECTORY/config.yaml");
    bytes = readBounded(path, LIMITS.fileBytesMax);
    if (bytes.length > LIMITS.fileBytesMax)
      throw refuse(
        stat.isFile() ? `the file has ${stat.size} bytes` : "this is no file that ends",
        `at most ${LIMITS.fileBytesMax} bytes are read`,
      );
  } catch (error) {
    if (error instanceof ConfigError || !isSystemError(error)) throw error;
    const isMissing = error.code === "ENOENT";
    throw isMissing
      ? refuse(
          "config file not found",
          "create it (an empty configuration is `{}`), or name another one with --config FILE",
        )
      : refuse(`cannot be read: ${error.message}`, "make it readable for the user that runs the engine");
  }
  return decode(bytes, refuse);
}

function isSystemError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}

function decode(bytes: Buffer, refuse: (message: string, hint: string) => ConfigError): string {
  const hint = "save it as UTF-8";
  const [first, second] = bytes;
  const isUtf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  if (isUtf16 || bytes.includes(0)) throw refuse("the file is UTF-16 or no text at all", hint);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw refuse("the file is not valid UTF-8", hint);
  }
}
