// From what is written about a listener's TLS, pages and address to what the engine is told; the files of certificates are read and judged here, so that every
// mistake in them has a place in the configuration.
import { CertificateError, checkCertificates, type TlsOptions } from "../transport/certificates.js";
import { isLoopbackHost } from "../transport/hosts.js";
import { type OriginRule, readOriginRule } from "../transport/origins.js";
import type { WrittenDoor, WrittenTls } from "./door-schema.js";
import type { Listener, Path, Reporter, Surroundings } from "./entries.js";

export interface Door {
  readonly tls?: TlsOptions;
  readonly origins?: readonly OriginRule[];
}

/** `path` leads to what holds the keys `tls` and `origins`. */
export function readDoor(
  path: Path,
  { tls, origins }: WrittenDoor,
  around: Pick<Surroundings, "resolve">,
  report: Reporter,
): Door {
  return {
    ...(tls === undefined ? {} : { tls: readTls([...path, "tls"], tls, around, report) }),
    ...(origins === undefined ? {} : { origins: origins.map(originRule) }),
  };
}

/** The schema has read it already: what is no origin never comes here. */
function originRule(text: string): OriginRule {
  const rule = readOriginRule(text);
  if (rule === null) throw new Error(`${text} is no origin`);
  return rule;
}

function readTls(
  path: Path,
  { cert, key, passphrase, ca, client_certificate }: WrittenTls,
  around: Pick<Surroundings, "resolve">,
  report: Reporter,
): TlsOptions {
  const options: TlsOptions = {
    certFile: around.resolve(cert),
    keyFile: around.resolve(key),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(ca === undefined ? {} : { caFile: around.resolve(ca) }),
    ...(client_certificate === undefined ? {} : { clientCertificate: client_certificate }),
  };
  if (ca === undefined && client_certificate !== undefined && client_certificate !== "none")
    report.problem(
      [...path, "client_certificate"],
      `client_certificate is ${client_certificate}, but no authority is named`,
      "write ca: the file of the authorities that sign the clients' certificates",
    );
  checkFiles(path, options, report);
  return options;
}

function checkFiles(path: Path, options: TlsOptions, report: Reporter): void {
  try {
    for (const warning of checkCertificates(options).warnings) report.warning([...path, "cert"], warning);
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    report.problem([...path, error.file], error.message, error.hint);
  }
}

/** Whoever binds wider than this machine without TLS, or without asking who comes, is told what that means. */
export function warnOfExposure(path: Path, listener: Listener, report: Reporter): void {
  const { name, host, port, tls } = listener;
  if (isLoopbackHost(host)) return;
  const asksWho = asksWhoComes(listener);
  const risks = [
    ...(asksWho
      ? []
      : ["whoever reaches it can call and replace every function and read what is sent to it"]),
    ...(tls === undefined
      ? [`what passes can be read and changed on the way${asksWho ? ", tokens included" : ""}`]
      : []),
  ];
  const remedies = [
    ...(tls === undefined ? ["tls"] : []),
    ...(asksWho ? [] : ["access.tokens, access.jwt or tls.ca in an entry iii-worker-manager"]),
  ];
  if (risks.length === 0) return;
  const without = [...(tls === undefined ? ["TLS"] : []), ...(asksWho ? [] : ["tokens"])].join(
    " and without ",
  );
  report.warning(
    path,
    `listener ${name} binds ${host}:${port} without ${without}: ${risks.join("; ")}. Write ${remedies.join(", and ")}; or bind 127.0.0.1`,
  );
}

function asksWhoComes({ rules, tls }: Listener): boolean {
  const hasTokens =
    (rules?.access?.tokens.length ?? 0) > 0 ||
    rules?.access?.jwt !== undefined ||
    (rules?.access?.certificates.length ?? 0) > 0;
  const demandsCertificate =
    tls?.caFile !== undefined && (tls.clientCertificate ?? "required") === "required";
  return hasTokens || demandsCertificate || rules?.rbac?.auth_function_id != null;
}
