// Runs one case so that nothing that goes wrong in it stops the others: a row that cannot be measured is named with the
// reason, a case that cannot be measured is a row of that kind itself.

import { performance } from "node:perf_hooks";
import type { Case, CaseResult, Context, MeasuredCase, RowName } from "./case.js";

/** Everything of a context but the place where rows are given up. */
export type Setting = Omit<Context, "giveUp">;

export async function runCase(one: Case, setting: Setting): Promise<MeasuredCase> {
  const unmeasured: MeasuredCase["unmeasured"] = [];
  const giveUp = ({ name, title }: RowName, why: unknown): void => {
    unmeasured.push({ name, title, why: sentenceOf(why) });
  };
  const startMs = performance.now();
  const { name, title, rows } = await attempted(one, { ...setting, giveUp });
  return { name, title, rows, unmeasured, tookS: (performance.now() - startMs) / 1000 };
}

async function attempted(one: Case, context: Context): Promise<CaseResult> {
  try {
    return await one.run(context);
  } catch (error) {
    context.giveUp(one, error);
    return { name: one.name, title: one.title, rows: [] };
  }
}

/** An error's message without its stack, which load programs send along. */
function sentenceOf(why: unknown): string {
  const text = why instanceof Error ? why.message : String(why);
  return text.split("\n    at ", 1)[0] ?? text;
}
