// HTTP requests to places that are not ours: pooled connections, addresses judged where they are used, every wait and every size bounded.
// The only importer of undici.
//
// A connection goes to an address that `addresses` gave for its host, and to no other. Redirects are never followed: an answer that is one
// is an answer.

import type { LookupFunction } from "node:net";
import { Agent, type Dispatcher, request } from "undici";

export interface HttpRequest {
  url: URL;
  method: Dispatcher.HttpMethod;
  headers: Readonly<Record<string, string | readonly string[]>>;
  body: string | Uint8Array;
  /** Bound on the whole exchange, from connecting to the last byte, in milliseconds. */
  timeoutMs: number;
  /** Bytes of the response's body. */
  responseBytesMax: number;
}

export interface HttpAnswer {
  status: number;
  statusText: string;
  body: Uint8Array;
}

export type Addresses = (host: string) => Promise<readonly { address: string; family: number }[]>;

/** The exchange broke while the body was read; the head had come. */
export class BodyError extends Error {
  override readonly name = "BodyError";
}

export interface ClientOptions {
  /** Connections to one origin. Default 64. */
  connectionsPerOrigin?: number;
}

const CONNECTIONS_PER_ORIGIN = 64;
const CONNECT_TIMEOUT_MS = 10_000;
const HEADER_BYTES_MAX = 65_536;

export class HttpClient {
  readonly #agent: Agent;

  constructor(addresses: Addresses, { connectionsPerOrigin = CONNECTIONS_PER_ORIGIN }: ClientOptions = {}) {
    this.#agent = new Agent({
      connections: connectionsPerOrigin,
      maxHeaderSize: HEADER_BYTES_MAX,
      connect: { lookup: lookupBy(addresses), timeout: CONNECT_TIMEOUT_MS },
    });
  }

  /** Rejects with BodyError when the body cannot be had, or is too long; with any other error before that. */
  async send(wanted: HttpRequest): Promise<HttpAnswer> {
    const signal = AbortSignal.timeout(wanted.timeoutMs);
    const { statusCode, statusText, body } = await request(wanted.url, {
      dispatcher: this.#agent,
      method: wanted.method,
      headers: headersOf(wanted.headers),
      body: wanted.body,
      signal,
      headersTimeout: wanted.timeoutMs,
      bodyTimeout: wanted.timeoutMs,
    });
    return { status: statusCode, statusText, body: await readBody(body, wanted.responseBytesMax) };
  }

  /** Breaks off what is under way. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

async function readBody(body: AsyncIterable<unknown>, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      if (!(chunk instanceof Uint8Array)) continue; // undici gives bytes
      length += chunk.length;
      if (length > bytesMax) throw new BodyError(`the response is longer than ${bytesMax} bytes`);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof BodyError) throw cause;
    throw new BodyError(chainOf(cause), { cause });
  }
  return Buffer.concat(chunks);
}

function headersOf(headers: HttpRequest["headers"]): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === "string" ? value : [...value]]),
  );
}

/** A lookup that hands out judged addresses only. */
function lookupBy(addresses: Addresses): LookupFunction {
  return (host, options, done) => {
    addresses(host).then(
      (found) => {
        const wanted = typeof options.family === "number" ? options.family : 0;
        const fitting = found.filter(({ family }) => wanted === 0 || family === wanted);
        const [first = found[0]] = fitting;
        if (options.all === true) done(null, [...(fitting.length === 0 ? found : fitting)]);
        else if (first === undefined) done(new Error(`no address for ${host}`), "", 0);
        else done(null, first.address, first.family);
      },
      (cause: unknown) => done(cause instanceof Error ? cause : new Error(String(cause)), "", 0),
    );
  };
}

/** An error with the causes behind it, in one sentence. */
export function chainOf(cause: unknown): string {
  const parts: string[] = [];
  for (let each = cause; each instanceof Error && parts.length < 5; each = each.cause) {
    const text = each instanceof AggregateError ? each.errors.map(String).join("; ") : each.message;
    if (text !== "" && !parts.includes(text)) parts.push(text);
  }
  return parts.length === 0 ? String(cause) : parts.join(": ");
}
