// Certificates for one test: authorities and what they sign, made by the `openssl` command in a directory that goes with the test.
//
// Node can read certificates, not make them. Where there is no openssl, tests of TLS are skipped and say so.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** What `skip` wants: false, or why. */
export const withoutOpenssl: string | false =
  spawnSync("openssl", ["version"]).status === 0 ? false : "there is no openssl to make certificates with";

export interface Pair {
  certFile: string;
  keyFile: string;
  readonly cert: string;
  readonly key: string;
}

export class Certificates {
  readonly directory = mkdtempSync(join(tmpdir(), "tercet-tls-"));

  file(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, text: string): string {
    writeFileSync(this.file(name), text);
    return this.file(name);
  }

  /** An authority, for a month. */
  authority(name: string): Pair {
    this.#key(name);
    this.#run(
      "req",
      "-x509",
      "-new",
      "-key",
      `${name}.key`,
      "-subj",
      `/CN=${name}`,
      "-days",
      "30",
      "-out",
      `${name}.pem`,
    );
    return this.pair(name);
  }

  /** A certificate for this machine's names, good for `days` from now; a negative number makes an expired one. */
  signed(authority: string, name: string, days = 7): Pair {
    this.#key(name);
    this.#run("req", "-new", "-key", `${name}.key`, "-subj", `/O=Acme/CN=${name}`, "-out", `${name}.csr`);
    this.write(`${name}.ext`, "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
    const sign = [
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      "-CA",
      `${authority}.pem`,
      "-CAkey",
      `${authority}.key`,
    ];
    this.#run(
      ...sign,
      "-CAcreateserial",
      "-days",
      String(days),
      "-extfile",
      `${name}.ext`,
      "-out",
      `${name}.pem`,
    );
    return this.pair(name);
  }

  encryptedKey(name: string, passphrase: string): string {
    this.#run(
      "pkcs8",
      "-topk8",
      "-in",
      `${name}.key`,
      "-passout",
      `pass:${passphrase}`,
      "-out",
      `${name}.enc.key`,
    );
    return this.file(`${name}.enc.key`);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #key(name: string): void {
    this.#run("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", `${name}.key`);
  }

  /** One that was made before. */
  pair(name: string): Pair {
    const [certFile, keyFile] = [this.file(`${name}.pem`), this.file(`${name}.key`)];
    return { certFile, keyFile, cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
  }

  #run(...words: string[]): void {
    execFileSync("openssl", words, { cwd: this.directory, stdio: "pipe" });
  }
}

/** An empty directory of certificates for one test. */
export function certificates(t: TestContext): Certificates {
  const made = new Certificates();
  t.after(() => made.remove());
  return made;
}
