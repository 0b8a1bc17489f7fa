// Debian's Chromium without a window, and pages of a small server that gives it the built files. Driven by playwright-core, which
// brings no browser. Where there is none, its absence comes back as a sentence for tests to skip with.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium, type Page } from "playwright-core";

const EXECUTABLE = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const DIST = fileURLToPath(new URL("../..", import.meta.url));
const HEAD = '<!doctype html>\n<meta charset="utf-8">\n<title>a page of the tests</title>\n';
/** Where pages find the worker SDK, as README.md has it for those without a bundler. */
const IMPORTS = '<script type="importmap">{ "imports": { "tercet/worker": "/worker/index.js" } }</script>';
/** Without its own errands to the network, of which a test machine may have none. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A host that the browser takes for another than this machine, whose pages came over no TLS: no secure context. */
export const FOREIGN_HOST = "page.test";

/** A page of Chromium with that content, on a server that gives out the built files, for one test. */
export async function pageFor(t: TestContext, content = IMPORTS, host = "127.0.0.1"): Promise<Page> {
  const port = await servePages(t, HEAD + content);
  const args = [...FLAGS, `--host-resolver-rules=MAP ${FOREIGN_HOST} 127.0.0.1`];
  const browser = await chromium.launch({ executablePath: EXECUTABLE, headless: true, args });
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`http://${host}:${port}/`);
  return page;
}

async function servePages(t: TestContext, html: string): Promise<number> {
  const server = createServer(async ({ url = "/" }, response) => {
    if (url === "/") return response.setHeader("content-type", "text/html").end(html);
    const path = join(DIST, normalize(url.replace(/^\/worker\//, "/src/worker/")));
    if (!path.startsWith(DIST) || !path.endsWith(".js")) return response.writeHead(404).end();
    return readFile(path).then(
      (text) => response.setHeader("content-type", "text/javascript").end(text),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port; // a listening TCP server has one
}

/** A test in a page; skipped, aloud, where there is no Chromium. */
export function pageTest(name: string, body: (t: TestContext) => Promise<void>): void {
  const skip = existsSync(EXECUTABLE)
    ? false
    : `no Chromium at ${EXECUTABLE} (Debian: apt-get install chromium)`;
  test(name, { skip }, body);
}
