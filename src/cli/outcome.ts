// What came, or would come, of a reload, in words.
import { ExitCode } from "./exit-codes.js";
import { type Row, rowOf, text } from "./replies.js";

export function outcomeText(outcome: Row, done: "applied" | "would be applied"): string {
  switch (outcome["kind"]) {
    case "unchanged":
      return "no change\n";
    case "restart_needed":
      return `nothing ${done}: restart the engine to change ${names(outcome["keys"])}\n`;
    case "invalid":
      return `nothing ${done}: the file is invalid\n${text(outcome, "text")}\n`;
    default:
      return `${done}:\n${changes(outcome)}`;
  }
}

export function outcomeCode(outcome: Row): ExitCode {
  return outcome["kind"] === "unchanged" || outcome["kind"] === "applied" ? ExitCode.Ok : ExitCode.Failed;
}

function changes(outcome: Row): string {
  const workers = rowOf(outcome["workers"]);
  const rows = [
    ["keys", outcome["keys"]],
    ["started", workers["added"]],
    ["stopped", workers["removed"]],
    ["restarted", workers["changed"]],
    ["adjusted without a restart", workers["adjusted"]],
    ["untouched", workers["unchanged"]],
  ] as const;
  return rows
    .filter(([, list]) => Array.isArray(list) && list.length > 0)
    .map(([word, list]) => `  ${word}: ${names(list)}\n`)
    .join("");
}

function names(list: unknown): string {
  return Array.isArray(list) ? list.join(", ") : "";
}
