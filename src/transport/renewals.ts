// Certificates that change while the engine runs: their files are looked at now and then, and a change that has come to rest is taken up.
//
// Looking is a few stat calls a second, which sees every way of replacing a file (written in place, renamed over, a symbolic link swapped). What
// cannot be used is refused loudly and the old certificate stays in force, until the files change again.

import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import { Metric, type Metrics } from "../metrics.js";
import { CERTIFICATE_LOOK_MS } from "../protocol/limits.js";
import { CertificateError, certificateSignature } from "./certificates.js";
import type { Listening } from "./listening.js";

export interface RenewalsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** What is said of one TLS listener. */
export interface CertificateState {
  readonly port: number;
  readonly subject: string;
  readonly expiresMs: number;
  readonly fingerprint: string;
  /** Why the files as they are now are not in force; null: they are. */
  readonly refused: string | null;
}

class Followed {
  readonly listening: Listening;
  /** Of the files that were tried last. */
  tried: string;
  /** As seen at the last look. */
  seen: string;
  refused: string | null = null;

  constructor(listening: Listening, signature: string) {
    this.listening = listening;
    this.tried = signature;
    this.seen = signature;
  }
}

export class Renewals {
  readonly #options: RenewalsOptions;
  readonly #followed: Followed[] = [];
  #stop: (() => void) | null = null;

  constructor(options: RenewalsOptions) {
    this.#options = options;
  }

  /** Follows the files of a TLS listener; `signature` is that of the files it was made from. */
  follow(listening: Listening, signature: string): void {
    this.#followed.push(new Followed(listening, signature));
    this.#stop ??= this.#options.clock.every(CERTIFICATE_LOOK_MS, () => this.look());
  }

  /** Takes up what changed and has come to rest. */
  look(): void {
    for (const followed of this.#followed) {
      const now = signatureOf(followed.listening);
      const isAtRest = now === followed.seen;
      followed.seen = now;
      if (isAtRest && now !== followed.tried) this.#renew(followed, now);
    }
  }

  /** Takes up what changed, at rest or not. */
  renewNow(): void {
    for (const followed of this.#followed) {
      const now = signatureOf(followed.listening);
      if (now !== followed.tried) this.#renew(followed, now);
    }
  }

  states(): CertificateState[] {
    return this.#followed.flatMap(({ listening, refused }) => {
      const { certificate, port } = listening;
      if (certificate === null) return [];
      const { subject, expiresMs, fingerprint } = certificate;
      return [{ port, subject, expiresMs, fingerprint, refused }];
    });
  }

  /** For /healthz; empty where nothing speaks TLS. Why a certificate was refused names files: the log and `tercet status` tell that. */
  health(): object {
    const states = this.states();
    if (states.length === 0) return {};
    return {
      certificates: states.map(({ port, expiresMs, refused }) => ({
        port,
        expires_ms: expiresMs,
        state: refused === null ? "in_force" : "renewal_refused",
      })),
    };
  }

  close(): void {
    this.#stop?.();
    this.#stop = null;
  }

  #renew(followed: Followed, signature: string): void {
    const { log, metrics } = this.#options;
    const { listening } = followed;
    followed.tried = signature;
    try {
      const { facts, warnings } = listening.renew();
      followed.refused = null;
      metrics.add(Metric.certificates_renewed);
      log.info({ port: listening.port, ...facts }, "certificate renewed: new connections are shown it");
      for (const warning of warnings) log.warn({ port: listening.port }, warning);
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      followed.refused = error.message;
      metrics.add(Metric.certificates_refused);
      log.error(
        { port: listening.port, inForce: listening.certificate },
        `certificate not renewed, the old one stays in force: ${error.message}; ${error.hint}`,
      );
    }
  }
}

function signatureOf({ tls }: Listening): string {
  return tls === undefined ? "" : certificateSignature(tls);
}
