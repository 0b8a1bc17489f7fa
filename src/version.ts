// The engine's version, from its package.json: said once there.

import { readFileSync } from "node:fs";

function readVersion(): string {
  const parsed: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  if (
    typeof parsed === "object" &&
    parsed !== null &&
    "version" in parsed &&
    typeof parsed.version === "string"
  )
    return parsed.version;
  throw new Error("package.json has no version");
}

export const ENGINE_VERSION = readVersion();
