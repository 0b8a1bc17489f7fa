// The documents of the demo: every package.json, README and licence text below a folder, and all of each kind bound in one volume.
//
// Files are text as they are found, with every script, escape and line end that people publish; the volumes are the long
// documents (about a megabyte for the usual node_modules).

import { type Dirent, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type Digest, digestOf } from "./digest.js";

/** What tools keep below node_modules: it is no package, and changes while others fill it. */
const CACHE = ".cache";

export const KINDS = ["package.json", "README", "licence"] as const;
export type Kind = (typeof KINDS)[number] | "volume";

export interface Document extends Digest {
  /** Below the folder that was searched; volumes have the name of their kind. */
  readonly path: string;
  readonly kind: Kind;
  readonly text: string;
}

/** All documents below `folder`, in order of their paths, the volumes last. */
export function findDocuments(folder: string): Document[] {
  const files = [...filesBelow(folder)].sort();
  const documents = files.flatMap((file) => {
    const kind = kindOf(file);
    return kind === undefined ? [] : [documentOf(relative(folder, file), kind, readFileSync(file, "utf8"))];
  });
  return [...documents, ...volumesOf(documents)];
}

/** What a file is, by its name; undefined when it is nothing for us. */
export function kindOf(path: string): (typeof KINDS)[number] | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (name === "package.json") return "package.json";
  if (/^readme(\.|$)/i.test(name)) return "README";
  if (/^(licen[cs]e|copying|notice)([.-]|$)/i.test(name)) return "licence";
  return undefined;
}

function* filesBelow(folder: string): Generator<string> {
  for (const entry of entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (entry.name === CACHE) continue;
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}

function entriesOf(folder: string): Dirent[] {
  return readdirSync(folder, { withFileTypes: true });
}

function volumesOf(documents: readonly Document[]): Document[] {
  const volumes = KINDS.map((kind) => {
    const texts = documents.filter((document) => document.kind === kind).map(({ text }) => text);
    return documentOf(`all of ${kind}`, "volume", texts.join("\n\f\n"));
  });
  const everything = volumes.map(({ text }) => text).join("\n\f\n");
  return [...volumes, documentOf("everything", "volume", everything)];
}

function documentOf(path: string, kind: Kind, text: string): Document {
  return { path, kind, text, ...digestOf(text) };
}
