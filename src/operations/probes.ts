// What probes and scrapers are told: /healthz (it lives), /readyz (it can be given work), /metrics. Made when asked for, in microseconds.

import type { Metrics } from "../metrics.js";
import type { Durations } from "../router/durations.js";
import { jsonPage, type Page, type Pages } from "../transport/pages.js";
import { ENGINE_VERSION } from "../version.js";
import { PROMETHEUS_TYPE, prometheusText } from "./prometheus.js";

const BUILD = { version: ENGINE_VERSION, node: process.versions.node };

export interface ProbesOptions {
  metrics: Metrics;
  durations: Durations;
  /** What /healthz tells besides its status and version. */
  figures: () => object;
}

export class Probes {
  /** The engine is going down: it is neither healthy nor ready any more. */
  isDraining = false;
  readonly #options: ProbesOptions;
  readonly #healthParts: (() => object)[] = [];
  readonly #readyParts: (() => string | null)[] = [];

  constructor(options: ProbesOptions) {
    this.#options = options;
  }

  /** /healthz and /readyz, for every listener. */
  readonly pages: Pages = {
    "/healthz": () => this.#health(),
    "/readyz": () => this.#readiness(),
  };

  /** The same with /metrics, for where no stranger looks. */
  readonly pagesWithMetrics: Pages = {
    ...this.pages,
    "/metrics": () => {
      const { metrics, durations } = this.#options;
      return { status: "200 OK", type: PROMETHEUS_TYPE, body: prometheusText(metrics, durations, BUILD) };
    },
  };

  /** Adds to what /healthz tells; the keys of `part` stand beside the engine's own. */
  reportHealth(part: () => object): void {
    this.#healthParts.push(part);
  }

  /** Adds a reason for not being ready, shown by /readyz; null while there is none. */
  reportReadiness(part: () => string | null): void {
    this.#readyParts.push(part);
  }

  #health(): Page {
    return jsonPage(this.isDraining ? "503 Service Unavailable" : "200 OK", {
      status: this.isDraining ? "draining" : "ok",
      version: ENGINE_VERSION,
      ...this.#options.figures(),
      ...Object.assign({}, ...this.#healthParts.map((part) => part())),
    });
  }

  #readiness(): Page {
    const reasons = this.#readyParts.map((part) => part()).filter((reason) => reason !== null);
    if (this.isDraining) reasons.push("the engine is going down");
    if (reasons.length === 0) return jsonPage("200 OK", { status: "ready" });
    return jsonPage("503 Service Unavailable", { status: "not_ready", reasons });
  }
}
