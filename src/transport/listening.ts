// One listener: the socket that accepts, and the apps that serve what it accepts.
//
// uWebSockets cannot exchange the certificate of a running app. So behind a TLS listener stands an acceptor without a certificate that hands every
// socket to one serving app; a renewal makes another serving app from the new files and hands new sockets to that one. The listening socket
// stays the same throughout, and the old app serves its connections to their end: nobody is turned away, nobody is cut.

import {
  CertificateError,
  type CertificateFacts,
  checkCertificates,
  type TlsOptions,
} from "./certificates.js";
import type { Gate } from "./gate.js";
import { LISTEN_EXCLUSIVE, type TemplatedApp, type Uws, type us_listen_socket } from "./uws.js";

export interface ListeningOptions {
  host: string;
  port: number;
  tls?: TlsOptions;
}

export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly code = "EADDRINUSE";
}

/** An app with its handlers, and the gate through which they let people in. */
export interface ServingApp {
  app: TemplatedApp;
  gate: Gate;
}

export class Listening {
  readonly port: number;
  /** What the clients are shown; null without TLS. */
  certificate: CertificateFacts | null = null;
  readonly #uws: Uws;
  readonly #options: ListeningOptions;
  readonly #serve: (app: TemplatedApp) => Gate;
  readonly #acceptor: TemplatedApp;
  #socket: us_listen_socket | null;
  #serving: ServingApp[] = [];

  /** `serve` gives a new app its handlers. Throws CertificateError, ListenError. */
  constructor(uws: Uws, options: ListeningOptions, serve: (app: TemplatedApp) => Gate) {
    this.#uws = uws;
    this.#options = options;
    this.#serve = serve;
    if (options.tls === undefined) {
      this.#acceptor = uws.App();
      this.#serving.push({ app: this.#acceptor, gate: serve(this.#acceptor) });
    } else {
      this.#acceptor = uws.SSLApp({});
      this.renew();
    }
    this.#socket = listen(this.#acceptor, options);
    this.port = uws.us_socket_local_port(this.#socket);
  }

  get isTls(): boolean {
    return this.#options.tls !== undefined;
  }

  get tls(): TlsOptions | undefined {
    return this.#options.tls;
  }

  /** Shows the certificate that lies in the files now to whoever comes from now on. Throws CertificateError: then all stays as it was. */
  renew(): { facts: CertificateFacts; warnings: readonly string[] } {
    const { tls } = this.#options;
    if (tls === undefined) throw new Error("a listener without TLS has no certificate");
    const checked = checkCertificates(tls);
    const app = this.#makeApp(tls);
    const gate = this.#serve(app);
    this.#acceptor.addChildAppDescriptor(app.getDescriptor());
    const before = this.#serving.at(-1);
    if (before !== undefined) {
      this.#acceptor.removeChildAppDescriptor(before.app.getDescriptor());
      this.#retire(before);
    }
    this.#serving.push({ app, gate });
    this.certificate = checked.facts;
    return checked;
  }

  #makeApp(tls: TlsOptions): TemplatedApp {
    try {
      return this.#uws.SSLApp(sslOptions(tls));
    } catch (error) {
      // Its one sentence is "App construction failed". What we can name was checked before.
      const message = `${tls.certFile}: the TLS library does not take these files (${String(error)})`;
      throw new CertificateError(
        "cert",
        message,
        "make key and certificates in a usual form: RSA or ECDSA, PEM",
      );
    }
  }

  /** It serves those it has, and is left out of publications once they are gone. */
  #retire(old: ServingApp): void {
    const drop = (): void => {
      this.#serving = this.#serving.filter((one) => one !== old);
    };
    if (old.gate.open === 0) drop();
    else old.gate.emptied = drop;
  }

  publish(topic: string, message: Uint8Array): void {
    for (const { app } of this.#serving) app.publish(topic, message, true);
  }

  /** New connections are refused from here on; those that are open live on. */
  stop(): void {
    if (this.#socket !== null) this.#uws.us_listen_socket_close(this.#socket);
    this.#socket = null;
  }

  /** Ends everything, without a word. */
  close(): void {
    this.stop();
    for (const { app } of this.#serving) app.close();
    if (this.isTls) this.#acceptor.close();
  }
}

function listen(app: TemplatedApp, { host, port }: ListeningOptions): us_listen_socket {
  let socket: us_listen_socket | false = false;
  // Without the exclusive option a second engine would silently share the port.
  app.listen(host, port, LISTEN_EXCLUSIVE, (token) => {
    socket = token;
  });
  if (socket === false)
    throw new ListenError(
      `cannot listen on ${host}:${port}: the port is taken, or the address is not one of this machine`,
    );
  return socket;
}

function sslOptions({ certFile, keyFile, passphrase, caFile, clientCertificate }: TlsOptions) {
  return {
    cert_file_name: certFile,
    key_file_name: keyFile,
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(caFile === undefined || clientCertificate === "none" ? {} : { ca_file_name: caFile }),
  };
}
