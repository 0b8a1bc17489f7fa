// How functions appear in listings: FunctionSummary and FunctionDetail of the iii protocol, as JSON text.
//
// Formats and metadata were kept as they were spelled at registration and go out the same way, so no number in them changes.

import type { Session } from "../access/session.js";
import { cardMember, metadataOf } from "./card.js";
import type { Functions } from "./functions.js";
import { OfferWord } from "./offers.js";
import type { Workers } from "./workers.js";

/** What a listing needs of one function; absent = none. */
export interface FunctionRow {
  fn: number;
  id: string;
  namespace: string;
  workerName: string;
  description: string | undefined;
  /** The whole card as JSON text. */
  card: string | undefined;
}

export class FunctionRows {
  readonly #functions: Functions;
  readonly #workers: Workers;

  constructor(functions: Functions, workers: Workers) {
    this.#functions = functions;
    this.#workers = workers;
  }

  row(fn: number): FunctionRow {
    const { names, offers } = this.#functions;
    const offer = this.#functions.servingOffer(fn);
    const card = offers.card(offer);
    const id = names.id(fn);
    return {
      fn,
      id,
      namespace: names.namespace(fn),
      workerName: this.#ownerName(offers.get(offer, OfferWord.connection), id),
      description: card === undefined ? undefined : descriptionOf(card),
      card,
    };
  }

  all(): FunctionRow[] {
    const rows: FunctionRow[] = [];
    this.#functions.each((fn) => rows.push(this.row(fn)));
    return rows;
  }

  /** The owner's name; the text before the first `::` when the owner has none. The engine's own functions belong to it. */
  #ownerName(connection: number, id: string): string {
    if (connection === 0) return "iii-engine-functions";
    return this.#workers.of(connection)?.name ?? ownerFromId(id);
  }
}

/** Whom an id belongs to when nobody with a name does: the text before the first `::`. */
export function ownerFromId(id: string): string {
  return id.split("::")[0] || id;
}

/** FunctionSummary: function_id, namespace, worker_name, description?, metadata?. */
export function summaryText(row: FunctionRow): string {
  return `{${headText(row)}${memberText(row, "metadata", "metadata")}}`;
}

/** FunctionDetail: the summary with its schemas and the triggers bound to it. */
export function detailText(row: FunctionRow, registeredTriggers = "[]"): string {
  const schemas =
    memberText(row, "request_format", "request_schema") +
    memberText(row, "response_format", "response_schema");
  return `{${headText(row)}${schemas}${memberText(row, "metadata", "metadata")},"registered_triggers":${registeredTriggers}}`;
}

function headText(row: FunctionRow): string {
  const description =
    row.description === undefined ? "" : `,"description":${JSON.stringify(row.description)}`;
  return `"function_id":${JSON.stringify(row.id)},"namespace":${JSON.stringify(row.namespace)},"worker_name":${JSON.stringify(row.workerName)}${description}`;
}

/** A member of the card under another name, spelled as it was; nothing when the card has none. */
function memberText(row: FunctionRow, member: string, name: string): string {
  const text = row.card === undefined ? undefined : cardMember(row.card, member);
  return text === undefined ? "" : `,"${name}":${text}`;
}

function descriptionOf(card: string): string | undefined {
  const text = cardMember(card, "description");
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  return typeof value === "string" ? value : undefined;
}

/** `metadata.internal === true`: such functions are hidden from listings. */
export function isInternal(row: FunctionRow): boolean {
  const text = row.card?.includes('"internal"') === true ? cardMember(row.card, "metadata") : undefined;
  const metadata: unknown = text === undefined ? null : JSON.parse(text);
  return (
    typeof metadata === "object" && metadata !== null && "internal" in metadata && metadata.internal === true
  );
}

/** Byte order of UTF-8, which is the order of listings. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, "utf8"), Buffer.from(b, "utf8"));
}

/** Whether a session may see the function; without one (null) everything is seen. */
export function isVisible(row: FunctionRow, session: Session | null): boolean {
  if (session === null) return true;
  const { id, namespace, card } = row;
  return session.maySee({ id, namespace, metadata: () => metadataOf(card) });
}
