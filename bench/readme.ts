// npm run bench:readme: writes the results of a run into README.md and bench/README.md, between their marks.
//
//   npm run bench -- --out bench/results/reference.json     the run
//   npm run bench:readme                                    its tables
//   npm run bench:readme -- FILE                            those of another run

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { between, readmeSection, resultsSection } from "./markdown.js";
import { REFERENCE, type Results, readResults } from "./results.js";

/** The pages with a section that is written from a run, by their marks. */
export const PAGES = [
  { path: "README.md", mark: "measured: npm run bench:readme", section: readmeSection },
  { path: "bench/README.md", mark: "results: npm run bench:readme", section: resultsSection },
] as const;

/** What a page has to be for this run. */
export function written({ path, mark, section }: (typeof PAGES)[number], results: Results): string {
  return between(readFileSync(path, "utf8"), mark, section(results));
}

// Imported by its test; run as a program otherwise.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = readResults(process.argv[2] ?? REFERENCE);
  for (const page of PAGES) {
    writeFileSync(page.path, written(page, results));
    process.stdout.write(`${page.path} written\n`);
  }
}
