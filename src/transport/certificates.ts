// The files behind TLS: read and judged before uWebSockets gets their names, so that what is wrong has a sentence (its own error says "App
// construction failed"), and a broken new certificate never takes the place of a good old one.

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";

/** Whether clients show a certificate: not asked for; asked for, and verified when shown; demanded. */
export type ClientCertificateRule = "none" | "optional" | "required";

/** TLS of a listener. Paths are absolute, or relative to the working directory. */
export interface TlsOptions {
  /** PEM: the server's certificate, then those between it and the root. */
  certFile: string;
  /** PEM: its private key. */
  keyFile: string;
  /** Of an encrypted key. */
  passphrase?: string;
  /** PEM: the authorities whose clients are known. */
  caFile?: string;
  /** Default `required` with a `caFile`, `none` without. */
  clientCertificate?: ClientCertificateRule;
}

/** What a listener shows to its clients. */
export interface CertificateFacts {
  subject: string;
  /** Alternative names, as in the certificate. */
  names: string;
  expiresMs: number;
  /** SHA-256 of the certificate, in hexadecimal digits with colons. */
  fingerprint: string;
}

/** A file cannot be used. `file` says which. */
export class CertificateError extends Error {
  override readonly name = "CertificateError";
  readonly file: "cert" | "key" | "ca";
  /** What would be right. */
  readonly hint: string;

  constructor(file: "cert" | "key" | "ca", message: string, hint: string) {
    super(message);
    this.file = file;
    this.hint = hint;
  }
}

/** More than any chain needs; a larger file is a mistake. */
const FILE_BYTES_MAX = 1 << 20;

/** The rule in force: with authorities to ask, a certificate is demanded unless something else is said. */
export function clientCertificateRule({ caFile, clientCertificate }: TlsOptions): ClientCertificateRule {
  return clientCertificate ?? (caFile === undefined ? "none" : "required");
}

/** Reads all files. Throws CertificateError when a listener could not be made of them; what is merely doubtful is in `warnings`. */
export function checkCertificates(
  options: TlsOptions,
  nowMs = Date.now(),
): { facts: CertificateFacts; warnings: string[] } {
  const [certificate] = readCertificates("cert", options.certFile) as [X509Certificate]; // at least one, or it throws
  const key = readKey(options);
  if (!certificate.checkPrivateKey(key))
    throw new CertificateError(
      "key",
      `${options.keyFile} is not the key of the certificate in ${options.certFile}`,
      "name the key with which the certificate was requested",
    );
  const warnings = [...doubtsOf(certificate, options.certFile, nowMs)];
  if (options.caFile !== undefined) {
    for (const authority of readCertificates("ca", options.caFile)) {
      if (!authority.ca)
        throw new CertificateError(
          "ca",
          `${options.caFile} holds a certificate that is no authority: ${oneLine(authority.subject)}`,
          "name the certificate of the authority that signs the clients' certificates",
        );
      warnings.push(...doubtsOf(authority, options.caFile, nowMs));
    }
  }
  return { facts: factsOf(certificate), warnings };
}

/** Changes when one of the files does, or another one takes its name. */
export function certificateSignature({ certFile, keyFile, caFile }: TlsOptions): string {
  return [certFile, keyFile, ...(caFile === undefined ? [] : [caFile])].map(fileSignature).join("\n");
}

function fileSignature(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (error) {
    return codeOf(error); // gone, or out of reach: a state like others
  }
}

function readCertificates(file: "cert" | "ca", path: string): X509Certificate[] {
  const text = readText(file, path);
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0)
    throw new CertificateError(
      file,
      `${path} holds no certificate in PEM form`,
      "write a file with -----BEGIN CERTIFICATE-----",
    );
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw new CertificateError(
        file,
        `${path} holds a certificate that cannot be read: ${messageOf(error)}`,
        "make it again",
      );
    }
  });
}

function readKey({ keyFile, passphrase }: TlsOptions): KeyObject {
  const text = readText("key", keyFile);
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text))
    throw new CertificateError(
      "key",
      `${keyFile} holds no private key in PEM form`,
      "write a file with -----BEGIN PRIVATE KEY-----",
    );
  if (text.includes("ENCRYPTED") && passphrase === undefined)
    throw new CertificateError("key", `${keyFile} is encrypted`, "write its passphrase as tls.passphrase");
  try {
    return createPrivateKey(passphrase === undefined ? text : { key: text, passphrase });
  } catch (error) {
    // OpenSSL's sentence says what it met; the key's bytes are not in it
    throw new CertificateError(
      "key",
      `${keyFile} cannot be read as a private key: ${messageOf(error)}`,
      passphrase === undefined ? "make it again" : "check tls.passphrase",
    );
  }
}

function readText(file: "cert" | "key" | "ca", path: string): string {
  try {
    if (statSync(path).size <= FILE_BYTES_MAX) return readFileSync(path, "utf8");
  } catch (error) {
    throw new CertificateError(
      file,
      `${path} cannot be read: ${codeOf(error)}`,
      "name a readable file, relative to the configuration",
    );
  }
  throw new CertificateError(
    file,
    `${path} has more than ${FILE_BYTES_MAX} bytes`,
    "name a file of certificates only",
  );
}

function* doubtsOf(certificate: X509Certificate, path: string, nowMs: number): Iterable<string> {
  const { validFrom, validTo, subject } = certificate;
  if (Date.parse(validTo) <= nowMs)
    yield `the certificate ${oneLine(subject)} in ${path} expired on ${validTo}: clients refuse it`;
  if (Date.parse(validFrom) > nowMs)
    yield `the certificate ${oneLine(subject)} in ${path} is not valid before ${validFrom}: clients refuse it until then`;
}

function factsOf({ subject, subjectAltName, validTo, fingerprint256 }: X509Certificate): CertificateFacts {
  return {
    subject: oneLine(subject ?? ""),
    names: subjectAltName ?? "",
    expiresMs: Date.parse(validTo),
    fingerprint: fingerprint256,
  };
}

/** Node writes one part of a name per line. */
function oneLine(subject: string): string {
  return subject.replaceAll("\n", ", ");
}

function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error) return String(error.code);
  throw error;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Who a client is by its certificate, which was verified. */
export interface ClientCertificate {
  /** The common name of its subject; "" when it has none, or several. */
  commonName: string;
  /** All of its subject, on one line. */
  subject: string;
  /** SHA-256 of the certificate, in lower-case hexadecimal digits. */
  fingerprintSha256: string;
}

/** Of a certificate in PEM form, as uWebSockets gives it. Null: it was verified, but Node cannot read it, so nobody can be named by it. */
export function readClientCertificate(pem: string): ClientCertificate | null {
  const certificate = parsed(pem);
  if (certificate === null) return null;
  const { CN } = certificate.toLegacyObject().subject as { CN?: unknown }; // the declarations promise a text; a repeated part is a list
  return {
    commonName: typeof CN === "string" ? CN : "",
    subject: oneLine(certificate.subject ?? ""),
    fingerprintSha256: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
  };
}

function parsed(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    if (error instanceof Error && "code" in error) return null; // OpenSSL's own refusals carry a code
    throw error;
  }
}
