// The card of a function (description, formats, metadata), as the registry keeps it: JSON text that the engine wrote.
//
// Read member by member, so that what is inside goes out as it was spelled.

/** A card is written by the engine: `{"key":value,…}`, known keys in a fixed order, no blanks between them. */
const CARD_KEYS = [
  "description",
  "request_format",
  "response_format",
  "metadata",
  "trigger_request_format",
  "call_request_format",
];

/** The text of one member of a card. */
export function cardMember(card: string, member: string): string | undefined {
  let at = 1;
  for (const key of CARD_KEYS) {
    const head = `"${key}":`;
    if (!card.startsWith(head, at)) continue;
    const end = valueEnd(card, at + head.length);
    if (key === member) return card.slice(at + head.length, end);
    at = end + 1;
  }
  return undefined;
}

/** Where the JSON value that begins at `at` ends; the text is known to be JSON. */
function valueEnd(text: string, at: number): number {
  let depth = 0;
  for (; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '"') {
      at = stringEnd(text, at);
    } else if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") {
      if (depth === 0) return at;
      depth--;
    } else if (char === "," && depth === 0) return at;
  }
  return at;
}

/** The closing quote of the string that begins at `at`. */
function stringEnd(text: string, at: number): number {
  for (at++; text.charAt(at) !== '"'; at++) if (text.charAt(at) === "\\") at++;
  return at;
}

/** The metadata of a card; undefined when it has none. */
export function metadataOf(card: string | undefined): unknown {
  const text = card === undefined ? undefined : cardMember(card, "metadata");
  return text === undefined ? undefined : JSON.parse(text);
}
