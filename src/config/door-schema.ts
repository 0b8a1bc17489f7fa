// What guards a listener before anybody says who they are: TLS, and the pages that may connect. Written the same below `server` and in the `config` of a
// listener's entry.
import { readOriginRule } from "../transport/origins.js";
import { z } from "./zod.js";

const file = (about: string) => z.string().min(1).describe(`${about} Relative to this configuration file.`);

const CLIENT_CERTIFICATE = ["none", "optional", "required"] as const;

export const tlsSchema = z
  .strictObject({
    cert: file("PEM file: the server's certificate, then those between it and the root."),
    key: file("PEM file: the private key of the certificate."),
    passphrase: z.string().min(1).optional().describe("Passphrase of the key, where it is encrypted."),
    ca: file("PEM file: the authorities whose client certificates are accepted.").optional(),
    client_certificate: z
      .enum(CLIENT_CERTIFICATE)
      .optional()
      .describe(
        "Whether clients show a certificate; default `required` with `ca`, `none` without. `optional`: one that is shown must be good.",
      ),
  })
  .describe("Speak TLS (wss://). The files are followed: a new certificate is shown to new connections.");

export const originsSchema = z
  .array(
    z
      .string()
      .refine((text) => readOriginRule(text) !== null, {
        message:
          "an origin, as in https://app.example.com; https://*.example.com and http://localhost:* are patterns, `*` means every page, `null` pages without an origin",
      })
      .describe("An origin."),
  )
  .describe(
    "Pages of browsers that may connect; default those that this machine serves (http://localhost and the like).",
  );

export type WrittenTls = z.output<typeof tlsSchema>;
export interface WrittenDoor {
  readonly tls?: WrittenTls | undefined;
  readonly origins?: readonly string[] | undefined;
}
