// Functions of a msgpack registration, and what becomes of them when their worker has a session: the prefix of their ids, and what the
// listener's hook says of each. One refusal refuses the whole list.

import type { Hooks } from "../access/hooks.js";
import type { Session } from "../access/session.js";
import { cardMember, metadataOf } from "../registry/card.js";
import type { Concurrency } from "../registry/concurrency.js";
import type { Share } from "../registry/share.js";
import type { Worker } from "../registry/workers.js";

/** One function as it is to be registered; its id is `bytes[start, end)`. */
export interface Entry {
  bytes: Uint8Array;
  start: number;
  end: number;
  share: Share;
  card: Uint8Array;
  /** How many of its calls the worker takes at once, where it says so. */
  concurrency: Concurrency | null;
}

/** Hooks asked at once: a worker may register more functions than a hook's worker should get calls in one turn. */
const HOOKS_AT_ONCE = 64;

/** At once where no hook has to be asked; the frame's bytes may be used as long. Rejects with CodedError. */
export function reviewEntries(entries: Entry[], worker: Worker, hooks: Hooks): Entry[] | Promise<Entry[]> {
  const { session } = worker;
  if (session === null) return entries;
  const { functionHook } = session.policy;
  if (functionHook === null) return entries.map((entry) => prefixed(session, entry));
  const kept = entries.map((entry) => ({ ...entry, bytes: entry.bytes.slice(entry.start, entry.end) }));
  return askAll(functionHook, session, worker.namespace.name, kept, hooks);
}

async function askAll(
  hook: string,
  session: Session,
  namespace: string,
  entries: readonly Entry[],
  hooks: Hooks,
): Promise<Entry[]> {
  const allowed: Entry[] = [];
  for (let at = 0; at < entries.length; at += HOOKS_AT_ONCE) {
    const some = entries.slice(at, at + HOOKS_AT_ONCE);
    allowed.push(...(await Promise.all(some.map((entry) => ask(hook, session, namespace, entry, hooks)))));
  }
  return allowed;
}

/** `bytes` of the entry are its id alone. */
async function ask(
  hook: string,
  session: Session,
  namespace: string,
  entry: Entry,
  hooks: Hooks,
): Promise<Entry> {
  const card = Buffer.from(entry.card).toString("utf8");
  const description = memberValue(card, "description");
  const metadata = metadataOf(card === "" ? undefined : card);
  const wanted = {
    id: Buffer.from(entry.bytes).toString("utf8"),
    description: typeof description === "string" ? description : undefined,
    metadata,
  };
  const { context } = session.rights;
  const answer = await hooks.onFunction(hook, session.policy.hookTimeoutMs, wanted, namespace, context);
  const bytes = Buffer.from(session.prefixed(answer.id), "utf8");
  return {
    bytes,
    start: 0,
    end: bytes.length,
    share: entry.share,
    card: cardAfter(card, answer),
    concurrency: entry.concurrency,
  };
}

function memberValue(card: string, member: string): unknown {
  const text = card === "" ? undefined : cardMember(card, member);
  return text === undefined ? undefined : JSON.parse(text);
}

/** The formats stay as they were spelled. */
function cardAfter(card: string, answer: { description: string | undefined; metadata: unknown }): Uint8Array {
  const members = [
    ["description", answer.description === undefined ? undefined : JSON.stringify(answer.description)],
    ["request_format", card === "" ? undefined : cardMember(card, "request_format")],
    ["response_format", card === "" ? undefined : cardMember(card, "response_format")],
    ["metadata", answer.metadata === undefined ? undefined : JSON.stringify(answer.metadata)],
  ].flatMap(([key, json]) => (json === undefined ? [] : [`"${key}":${json}`]));
  return Buffer.from(members.length === 0 ? "" : `{${members.join(",")}}`, "utf8");
}

function prefixed(session: Session, entry: Entry): Entry {
  return { ...entry, ...prefixedId(session, entry.bytes, entry.start, entry.end) };
}

/** An id as a session's worker gives it, as the registry knows it. */
export function prefixedId(
  session: Session | null,
  bytes: Uint8Array,
  start: number,
  end: number,
): { bytes: Uint8Array; start: number; end: number } {
  const prefix = session?.rights.prefix ?? null;
  if (prefix === null) return { bytes, start, end };
  const id = Buffer.concat([Buffer.from(`${prefix}::`, "utf8"), bytes.subarray(start, end)]);
  return { bytes: id, start: 0, end: id.length };
}
