// A Python with one version of the official SDK, made once and kept under node_modules/.cache.
//
// Needs Python 3 with venv, and PyPI the first time. Where one of them is missing, the reason comes back as a sentence, for
// tests to skip with.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const CACHE = fileURLToPath(new URL("../../../node_modules/.cache/tercet/", import.meta.url));
const VENV_MS_MAX = 60_000;
const PIP_MS_MAX = 120_000;

const run = promisify(execFile);

export type Venv = { readonly python: string } | { readonly missing: string };

/** The Python that has `iii-sdk` of that version installed, and further packages, each with its version. */
export async function pythonWith(version: string, ...more: readonly string[]): Promise<Venv> {
  const kept = join(CACHE, ["iii-sdk", version, ...more].join("-"));
  const python = join(kept, "bin", "python");
  if (existsSync(python)) return { python };
  mkdirSync(CACHE, { recursive: true });
  const fresh = mkdtempSync(join(CACHE, "making-"));
  try {
    await install(fresh, [`iii-sdk==${version}`, ...more]);
    renameSync(fresh, kept); // whole or not at all, also when two test runs make it at once
    return { python };
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (existsSync(python)) return { python };
    return { missing: reasonOf(error) };
  }
}

async function install(folder: string, packages: readonly string[]): Promise<void> {
  await run("python3", ["-m", "venv", folder], { timeout: VENV_MS_MAX });
  const pip = [
    "-m",
    "pip",
    "install",
    "-q",
    "--disable-pip-version-check",
    "--retries",
    "1",
    "--timeout",
    "10",
  ];
  await run(join(folder, "bin", "python"), [...pip, ...packages], { timeout: PIP_MS_MAX });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const said = "stderr" in error ? String(error.stderr).trim().split("\n").at(-1) : "";
  return `no Python with the SDK: ${said || error.message.split("\n")[0]}`;
}
