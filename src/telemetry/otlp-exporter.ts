// Telemetry on its way to an OTLP collector: one POST of OTLP/JSON per frame, a few at once, the rest waits in a bounded queue.
//
// A collector that is away costs the frames it misses (counted) and one line in the log, not memory and not a line per frame.

import { chainOf, HttpClient } from "../http/client.js";
import type { Resolve } from "../http/url-policy.js";
import type { Logger } from "../log.js";
import { Metric, type Metrics } from "../metrics.js";
import type { Signal, TelemetryExporter } from "./telemetry.js";

export interface OtlpOptions {
  /** Base address; `/v1/traces`, `/v1/metrics` and `/v1/logs` are put behind it. */
  endpoint: string;
  /** Sent with every request. */
  headers?: Readonly<Record<string, string>>;
  /** Bytes that may wait or be under way. Default 16 MiB. */
  queueBytesMax?: number;
  /** Bound on one request, in milliseconds. Default 10,000. */
  timeoutMs?: number;
}

const QUEUE_BYTES_MAX = 16 << 20;
const TIMEOUT_MS = 10_000;
/** Requests at once: enough to hide a collector's latency, too few to be a burden to it. */
const REQUESTS_MAX = 4;
/** A collector's answer says little. */
const RESPONSE_BYTES_MAX = 1 << 20;

interface Waiting {
  url: URL;
  body: Uint8Array;
}

export class OtlpExporter implements TelemetryExporter {
  readonly #options: OtlpOptions;
  readonly #client: HttpClient;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #queue: Waiting[] = [];
  #bytes = 0;
  #underWay = 0;
  #isFailing = false;
  #isClosed = false;

  constructor(options: OtlpOptions, resolve: Resolve, metrics: Metrics, log: Logger) {
    this.#options = options;
    this.#client = new HttpClient(resolve, { connectionsPerOrigin: REQUESTS_MAX });
    this.#metrics = metrics;
    this.#log = log;
  }

  export(signal: Signal, body: Uint8Array): void {
    const { endpoint, queueBytesMax = QUEUE_BYTES_MAX } = this.#options;
    if (this.#isClosed || this.#bytes + body.length > queueBytesMax)
      return this.#metrics.add(Metric.telemetry_frames_dropped);
    this.#bytes += body.length;
    this.#queue.push({ url: new URL(`${endpoint.replace(/\/+$/, "")}/v1/${signal}`), body });
    this.#next();
  }

  /** Breaks off; what waits is dropped. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#metrics.add(Metric.telemetry_frames_dropped, this.#queue.length);
    this.#queue.length = 0;
    await this.#client.close();
  }

  #next(): void {
    while (this.#underWay < REQUESTS_MAX) {
      const waiting = this.#queue.shift();
      if (waiting === undefined) return;
      this.#underWay++;
      this.#send(waiting).then(
        () => this.#ended(waiting, null),
        (cause: unknown) => this.#ended(waiting, chainOf(cause)),
      );
    }
  }

  async #send({ url, body }: Waiting): Promise<void> {
    const { headers = {}, timeoutMs = TIMEOUT_MS } = this.#options;
    const { status, statusText } = await this.#client.send({
      url,
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body,
      timeoutMs,
      responseBytesMax: RESPONSE_BYTES_MAX,
    });
    if (status < 200 || status >= 300)
      throw new Error(`the collector answers ${status} ${statusText}`.trimEnd());
  }

  #ended({ body }: Waiting, problem: string | null): void {
    this.#underWay--;
    this.#bytes -= body.length;
    if (problem === null) this.#metrics.add(Metric.telemetry_frames_exported);
    else this.#metrics.add(Metric.telemetry_frames_dropped);
    this.#tell(problem);
    this.#next();
  }

  /** Says so when it begins to fail, and when it works again. */
  #tell(problem: string | null): void {
    if ((problem !== null) === this.#isFailing || this.#isClosed) return;
    this.#isFailing = problem !== null;
    const { endpoint } = this.#options;
    if (problem !== null)
      this.#log.warn({ endpoint, problem }, "telemetry cannot be exported: frames are dropped until it can");
    else this.#log.info({ endpoint }, "telemetry is exported again");
  }
}
