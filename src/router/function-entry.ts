// One function as a msgpack worker registers it: an array of an id and what is said about it, PROTOCOL.md, "register".

import { CALLS_OPEN_MAX, TIMER_MS_MAX } from "../protocol/limits.js";
import { type Cursor, ElementError } from "../protocol/msgpack/cursor.js";
import type { Concurrency } from "../registry/concurrency.js";
import { isShareName, SHARE_NAMES, Share } from "../registry/share.js";
import { readCard } from "./card.js";
import type { Entry } from "./msgpack-review.js";

const NO_CARD = new Uint8Array(0);

/** Reads the entry at `list`'s cursor with `item`; `position` is for the sentence. Throws ElementError. */
export function readEntry(list: Cursor, item: Cursor, position: number): Entry {
  list.raw();
  if (item.open(list.bytes, list.start) < 1)
    throw new ElementError(`function ${position} must be an array that begins with an id`);
  item.str(`id of function ${position}`);
  const { bytes, start, end } = item;
  const card = item.left === 0 ? NO_CARD : readCard(item, position);
  const share = item.left === 0 ? Share.Exclusive : readShare(item, position);
  const concurrency = item.left === 0 ? null : readConcurrency(item, position);
  return { bytes, start, end, share, card, concurrency };
}

function readShare(item: Cursor, position: number): Share {
  if (item.nil()) return Share.Exclusive;
  item.str(`share of function ${position}`);
  const name = Buffer.from(item.bytes.subarray(item.start, item.end)).toString("utf8");
  if (!isShareName(name))
    throw new ElementError(
      `share of function ${position} must be nil or one of ${Object.keys(SHARE_NAMES).join(", ")}, not ${name}`,
    );
  return SHARE_NAMES[name];
}

/** The elements concurrency, queue_calls, queue_ms. */
function readConcurrency(item: Cursor, position: number): Concurrency | null {
  const of = ` of function ${position}`;
  const concurrency = readBound(item, `concurrency${of}`, 1, CALLS_OPEN_MAX);
  const queueCalls = readBound(item, `queue_calls${of}`, 0, CALLS_OPEN_MAX);
  const queueMs = readBound(item, `queue_ms${of}`, 0, TIMER_MS_MAX);
  return concurrency === undefined ? null : { concurrency, queueCalls, queueMs };
}

function readBound(item: Cursor, what: string, min: number, max: number): number | undefined {
  if (item.left === 0 || item.nil()) return undefined;
  const value = item.uint(what);
  if (value < min || value > max) throw new ElementError(`${what} must be ${min} to ${max}, not ${value}`);
  return value;
}
