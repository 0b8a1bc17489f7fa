// Builds the Rust worker, once for each version of the SDK, outside the repository: copied, built and kept under the sum of its sources.
//
// Run as a program (`npm run test:rust`) it builds what is not built yet, which takes a minute or two; tests only look whether
// it is there. Exact versions of the SDK stand in Cargo.toml; there is no lock file in the repository, since it would name hosts.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The line that the wire was captured with, the newest release, and the newest of all. */
export const RUST_VERSIONS = ["0.23.0", "0.25.0", "0.26.0-rc.4"] as const;
export type RustVersion = (typeof RUST_VERSIONS)[number];

const SOURCES = fileURLToPath(new URL("../../../test/sdk/rust/", import.meta.url));
const CACHE = fileURLToPath(new URL("../../../node_modules/.cache/tercet/rust/", import.meta.url));
const FILES = [
  "Cargo.toml",
  ...readdirSync(join(SOURCES, "src"))
    .sort()
    .map((name) => `src/${name}`),
];

function sumOfSources(): string {
  const hash = createHash("sha256");
  for (const file of FILES) hash.update(file).update(readFileSync(join(SOURCES, file)));
  return hash.digest("hex").slice(0, 16);
}

/** Where the program of that version is, or will be. */
function programPath(version: RustVersion): string {
  return join(CACHE, `worker-${version}-${sumOfSources()}`);
}

/** The program of that version, or why there is none. */
export function rustProgram(version: RustVersion): string | { readonly missing: string } {
  const path = programPath(version);
  return existsSync(path)
    ? path
    : { missing: "the Rust worker is not built; `npm run test:rust` builds and runs it" };
}

async function build(version: RustVersion): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, "building-"));
  try {
    cpSync(SOURCES, folder, { recursive: true });
    const env = { ...process.env, CARGO_TARGET_DIR: join(CACHE, "target") };
    const cargo = spawn("cargo", ["build", "--features", version], { cwd: folder, env, stdio: "inherit" });
    const [code] = await once(cargo, "close");
    if (code !== 0) throw new Error(`cargo ended with ${code}`);
    copyFileSync(join(CACHE, "target", "debug", "rust-worker"), join(folder, "built"));
    renameSync(join(folder, "built"), programPath(version)); // whole or not at all
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const version of RUST_VERSIONS) if (!existsSync(programPath(version))) await build(version);
