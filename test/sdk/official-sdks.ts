// The official SDKs that tests run, each with the command that runs its worker program.

import { fileURLToPath } from "node:url";
import { pythonWith } from "./python-venv.js";
import { RUST_VERSIONS, rustProgram } from "./rust-build.js";
import type { OfficialSdk } from "./worker-program.js";

const NPM_PROGRAM = fileURLToPath(new URL("npm-worker.js", import.meta.url));
const OWN_PROGRAM = fileURLToPath(new URL("own-worker.js", import.meta.url));
const PYTHON_PROGRAM = fileURLToPath(new URL("../../../test/sdk/python_worker.py", import.meta.url));

/** Knows neither namespaces nor that a name may be taken. */
export const NPM_SDK: OfficialSdk = {
  label: "npm 0.22.1",
  runtime: "node",
  version: "0.22.1",
  knowsNamespaces: false,
  speaksJson: true,
  knowsTriggers: true,
  command: async () => [process.execPath, NPM_PROGRAM],
};

/** No official one: our own, on the other wire, where a namespace that is not allowed ends the connection. */
export const OWN_SDK: OfficialSdk = {
  ...NPM_SDK,
  label: "tercet/worker",
  speaksJson: false,
  command: async () => [process.execPath, OWN_PROGRAM],
};

export const PYTHON_SDKS: readonly OfficialSdk[] = ["0.23.0", "0.25.0"].map((version) => ({
  label: `Python ${version}`,
  runtime: "python",
  version,
  knowsNamespaces: true,
  speaksJson: true,
  knowsTriggers: true,
  command: async () => {
    const venv = await pythonWith(version);
    return "missing" in venv ? venv : [venv.python, PYTHON_PROGRAM];
  },
}));

/** The newest has given up trigger types and triggers for observers, which only an engine of its own kind offers. */
export const RUST_SDKS: readonly OfficialSdk[] = RUST_VERSIONS.map((version) => ({
  label: `Rust ${version}`,
  runtime: "rust",
  version,
  knowsNamespaces: true,
  speaksJson: true,
  knowsTriggers: version !== "0.26.0-rc.4",
  command: async () => {
    const program = rustProgram(version);
    return typeof program === "string" ? [program] : program;
  },
}));
