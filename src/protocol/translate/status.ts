// How a translation ended, and what to tell the peer when it was refused.
//
// The translators return a status and leave the reason here: one place, written on refusal only, valid until the next refusal.
// Everything runs on one thread and to its end, so one such place is enough and a translation allocates nothing for it.

export const TranslateStatus = {
  Done: 0,
  /** The payload is not one value of its encoding. */
  Invalid: 1,
  /** The other encoding has no way to say it. */
  Untranslatable: 2,
  /** Nested too deep, or an integer of too many digits. */
  OutOfBounds: 3,
  /** The translation passes the target's `bytesMax`. */
  TooLarge: 4,
} as const;
export type TranslateStatus = (typeof TranslateStatus)[keyof typeof TranslateStatus];
export type Refused = Exclude<TranslateStatus, typeof TranslateStatus.Done>;

/** The code by which the peer is told; each has its heading in PROTOCOL.md. */
export const REFUSED_CODE = {
  [TranslateStatus.Invalid]: "payload_invalid",
  [TranslateStatus.Untranslatable]: "payload_untranslatable",
  [TranslateStatus.OutOfBounds]: "payload_out_of_bounds",
  [TranslateStatus.TooLarge]: "payload_out_of_bounds",
} as const satisfies Record<Refused, string>;

/** What the functions of this folder return in place of a position when they refuse. */
export const REFUSED = -1;

export interface Refusal {
  status: Refused;
  /** What was found, as the subject of a sentence. */
  found: string;
  /** Where, counted from the payload's first byte. */
  at: number;
}

const last: Refusal = { status: TranslateStatus.Invalid, found: "nothing", at: 0 };

/** Notes why and where (an offset in the source); returns `REFUSED` so that a caller can hand it on. */
export function refuse(status: Refused, found: string, at: number): typeof REFUSED {
  last.status = status;
  last.found = found;
  last.at = at;
  return REFUSED;
}

/** The status of the refusal just noted, its position now counted from the payload's `start`. */
export function settleRefusal(start: number): Refused {
  last.at -= start;
  return last.status;
}

/** The last refused translation. The object is used again: copy what you keep. */
export function lastRefusal(): Readonly<Refusal> {
  return last;
}

/** The last refusal as the `message` of an error body. */
export function refusalMessage(): string {
  return `Cannot translate the payload: ${last.found} at byte ${last.at}`;
}

export const invalid = (found: string, at: number) => refuse(TranslateStatus.Invalid, found, at);
export const untranslatable = (found: string, at: number) =>
  refuse(TranslateStatus.Untranslatable, found, at);
export const outOfBounds = (found: string, at: number) => refuse(TranslateStatus.OutOfBounds, found, at);
export const tooLarge = (at: number) =>
  refuse(TranslateStatus.TooLarge, "the translation passes the largest frame", at);
