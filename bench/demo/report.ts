// The figures at the end of the demo, as lines for people: names on the left, numbers in one column.

import { type Document, KINDS, type Kind } from "./documents.js";
import type { Ledger } from "./ledger.js";
import { sizeText } from "./progress.js";

export interface Run {
  readonly documents: readonly Document[];
  readonly ledger: Ledger;
  readonly callers: readonly string[];
  readonly workers: readonly string[];
  readonly elapsedMs: number;
}

export function reportOf(run: Run): string {
  const { documents, ledger, callers, elapsedMs } = run;
  const sizes = documents.map(({ bytes }) => bytes);
  const seconds = elapsedMs / 1000;
  const calls = callers.map((caller) => `${caller} caller ${number(callsOf(run, caller))}`).join(", ");
  const rows: [string, string, string][] = [
    [
      "documents",
      number(documents.length),
      `${countsOf(documents)}; ${sizeText(Math.min(...sizes))} to ${sizeText(Math.max(...sizes))}`,
    ],
    ["calls", number(ledger.calls), `answered right: ${calls}`],
    ["bytes", number(ledger.bytes), "of documents, sent to workers"],
    ["seconds", seconds.toFixed(2), ""],
    ["calls/s", number(Math.round(ledger.calls / seconds)), `${sizeText(ledger.bytes / seconds)} a second`],
    ["missing", number(ledger.missing), "calls without an answer"],
    ["doubled", number(ledger.doubled), "answers too many"],
    ["wrong", number(ledger.wrong), "answers with another length, word count or hash"],
  ];
  const lines = rows.map(([name, value, about]) =>
    `${name.padEnd(10)}${value.padStart(14)}   ${about}`.trimEnd(),
  );
  return [...lines, "", ...servedLines(run), ...troubleLines(ledger)].join("\n") + "\n";
}

function servedLines({ ledger, callers, workers }: Run): string[] {
  const heads = callers.map((caller) => `${caller} caller`.padStart(16));
  const rows = workers.map((worker) => {
    const counts = callers.map((caller) => number(ledger.served(caller, worker)).padStart(16));
    return worker.padEnd(10) + counts.join("");
  });
  return ["served by".padEnd(10) + heads.join(""), ...rows];
}

function troubleLines(ledger: Ledger): string[] {
  const missing = ledger
    .missingPaths()
    .slice(0, 10)
    .map((path) => `${path}: no answer`);
  return ledger.isClean ? [] : ["", ...missing, ...ledger.told];
}

function callsOf({ ledger, workers }: Run, caller: string): number {
  return workers.reduce((sum, worker) => sum + ledger.served(caller, worker), 0);
}

function countsOf(documents: readonly Document[]): string {
  const count = (kind: Kind): string => number(documents.filter((document) => document.kind === kind).length);
  const files = KINDS.map((kind) => `${count(kind)} ${kind}`).join(", ");
  return `${files}, ${count("volume")} volumes of all`;
}

function number(value: number): string {
  return value.toLocaleString("en");
}
