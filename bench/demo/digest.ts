// What is asked about a document: how long it is, how many words it has, and its hash. Workers answer it, the caller checks it.

import { createHash } from "node:crypto";

export interface Digest {
  /** Of the text in UTF-8. */
  readonly bytes: number;
  /** Runs of letters and digits of any script. */
  readonly words: number;
  /** Of the text in UTF-8, in hexadecimal digits. */
  readonly sha256: string;
}

/** One call's payload. */
export interface Question {
  readonly number: number;
  readonly path: string;
  readonly text: string;
}

/** One call's result. */
export interface Answer extends Digest {
  readonly number: number;
  readonly worker: string;
}

export const DIGEST_FUNCTION = "demo::digest";

export function digestOf(text: string): Digest {
  const bytes = Buffer.from(text, "utf8");
  return {
    bytes: bytes.length,
    words: text.match(/[\p{L}\p{N}]+/gu)?.length ?? 0,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  };
}

/** What a worker named `worker` answers. */
export function answerOf({ number, text }: Question, worker: string): Answer {
  return { number, worker, ...digestOf(text) };
}
