// Functions that are an HTTP request: registered by a worker, carried out by the engine.
//
// The address is judged at registration and again at each call; secrets are read once. A call ends with the response's value or a coded
// error, within its time and its bytes. How many are under way at once is bounded: beyond that, `overloaded`.

import { randomUUID } from "node:crypto";
import type { Clock } from "../clock.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import type { Carry } from "../registry/functions.js";
import { outcomeOf } from "./answer.js";
import { BodyError, chainOf, HttpClient, type HttpRequest } from "./client.js";
import { type Environment, type Sign, signerOf } from "./credentials.js";
import { type Invocation, readInvocation } from "./invocation.js";
import { type HttpSecurity, type Resolve, systemResolve, UrlPolicy } from "./url-policy.js";

export interface HttpFunctionsOptions {
  security: HttpSecurity;
  clock: Clock;
  env?: Environment;
  resolve?: Resolve;
  /** Bytes of one response. Default 16 MiB. */
  responseBytesMax?: number;
  /** Requests under way at once. Default 1,024. */
  requestsMax?: number;
}

const RESPONSE_BYTES_MAX = 16 << 20;
const REQUESTS_MAX = 1_024;

export class HttpFunctions {
  readonly #clock: Clock;
  readonly #env: Environment;
  readonly #policy: UrlPolicy;
  readonly #client: HttpClient;
  readonly #responseBytesMax: number;
  readonly #requestsMax: number;
  #underWay = 0;

  constructor(options: HttpFunctionsOptions) {
    this.#clock = options.clock;
    this.#env = options.env ?? process.env;
    this.#policy = new UrlPolicy(options.security, options.resolve ?? systemResolve);
    this.#client = new HttpClient((host) => this.#policy.addresses(host));
    this.#responseBytesMax = options.responseBytesMax ?? RESPONSE_BYTES_MAX;
    this.#requestsMax = options.requestsMax ?? REQUESTS_MAX;
  }

  /** Requests under way. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Judges an `invocation` and makes what carries out its calls. Rejects with CodedError. */
  async prepare(functionId: string, wanted: unknown): Promise<Carry> {
    const invocation = readInvocation(wanted);
    await this.#policy.check(invocation.url);
    const sign = signerOf(invocation.auth, this.#env);
    return (json) => this.#carry(functionId, invocation, sign, json);
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  async #carry(functionId: string, invocation: Invocation, sign: Sign, json: string): Promise<string | null> {
    if (this.#underWay >= this.#requestsMax)
      throw new CodedError(ErrorCode.Overloaded, `${this.#requestsMax} HTTP requests are under way already`);
    const url = this.#policy.read(invocation.url);
    this.#underWay++;
    try {
      return outcomeOf(await this.#client.send(this.#request(functionId, url, invocation, sign, json)));
    } catch (cause) {
      throw codedFrom(cause);
    } finally {
      this.#underWay--;
    }
  }

  #request(functionId: string, url: URL, invocation: Invocation, sign: Sign, body: string): HttpRequest {
    const timestampS = Math.floor(this.#clock.epochMs() / 1000);
    const headers = joined(
      {
        "Content-Type": "application/json",
        "x-iii-Function-Path": headerText(functionId),
        "x-iii-Invocation-ID": randomUUID(),
        "x-iii-Timestamp": String(timestampS),
      },
      invocation.headers,
      sign(timestampS, body),
    );
    const { method, timeoutMs } = invocation;
    return { url, method, headers, body, timeoutMs, responseBytesMax: this.#responseBytesMax };
  }
}

/** Headers of one name are added to each other, whatever their case. */
function joined(...sets: readonly Readonly<Record<string, string>>[]): Record<string, string[]> {
  const all = new Map<string, { name: string; values: string[] }>();
  for (const set of sets) {
    for (const [name, value] of Object.entries(set)) {
      const known = all.get(name.toLowerCase());
      if (known === undefined) all.set(name.toLowerCase(), { name, values: [value] });
      else known.values.push(value);
    }
  }
  return Object.fromEntries([...all.values()].map(({ name, values }) => [name, values]));
}

/** A function's id where only visible ASCII may stand. */
function headerText(id: string): string {
  return /^[\x20-\x7e]*$/.test(id) ? id : encodeURIComponent(id);
}

/** The refusal of an address comes as the cause of a failed connection. */
function codedFrom(cause: unknown): CodedError {
  for (let each = cause; each instanceof Error; each = each.cause)
    if (each instanceof CodedError) return each;
  if (cause instanceof BodyError) return new CodedError(ErrorCode.HttpResponseFailed, cause.message);
  return new CodedError(ErrorCode.HttpRequestFailed, chainOf(cause));
}
