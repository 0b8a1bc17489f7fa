// Who may import whom, read from the import lines: the layers of the engine, one door for each outside package, and the manners of files.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const LINES_MAX = 500;

interface Import {
  /** As it is written. */
  specifier: string;
  /** A file of src with its extension as in the source, or the name of a package. */
  target: string;
  isTypeOnly: boolean;
}

interface SourceFile {
  /** From the repository, with slashes. */
  path: string;
  text: string;
  imports: Import[];
}

function filesOf(folder: string): SourceFile[] {
  if (!existsSync(join(ROOT, folder))) return [];
  const entries = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .filter((path) => !path.includes("/assembly/")) // AssemblyScript: another language
    .map(readSource);
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(ROOT, path), "utf8");
  return { path, text, imports: importsOf(path, text) };
}

const STATEMENT = /^(?:import|export)\s+(type\s)?(?:[^"';]*?\sfrom\s*)?"([^"]+)"/gm;
const CALL = /\b(?:import|require|resolve)\(\s*"([^"]+)"\s*\)/g;

function importsOf(path: string, text: string): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const found: Import[] = [];
  for (const [, type, specifier = ""] of code.matchAll(STATEMENT))
    found.push({ specifier, target: targetOf(path, specifier), isTypeOnly: type !== undefined });
  for (const [, specifier = ""] of code.matchAll(CALL))
    found.push({ specifier, target: targetOf(path, specifier), isTypeOnly: false });
  return found;
}

function targetOf(path: string, specifier: string): string {
  if (!specifier.startsWith(".")) return packageOf(specifier);
  return posix.join(posix.dirname(path), specifier).replace(/\.js$/, ".ts");
}

function packageOf(specifier: string): string {
  if (specifier.startsWith("node:")) return specifier;
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
}

const source = filesOf("src");
const everything = [...source, ...["test", "bench", "demo"].flatMap(filesOf)];

test("the reader of import lines reads them all", () => {
  const text =
    'import a from "a/x";\nimport type { B } from "./b.js";\nexport * from "../c.js";\nimport {\n  d,\n} from "@s/d/e";\nimport "node:fs";\nconst f = await import("f");\n// import "g";\n/* import "h"; */\n';
  assert.deepEqual(
    importsOf("src/x/y.ts", text).map(({ target, isTypeOnly }) => `${target}${isTypeOnly ? " type" : ""}`),
    ["a", "src/x/b.ts type", "src/c.ts", "@s/d", "node:fs", "f"],
  );
  assert.ok(source.length > 100, "the sources are found");
  const relatives = source.flatMap((file) => file.imports.filter((one) => one.target.startsWith("src/")));
  assert.ok(relatives.length > 300);
  for (const { target } of relatives) assert.ok(existsSync(join(ROOT, target)), `${target} is there`);
});

/** Each outside package and its one door. `optional`: may be absent. */
const DOORS: Readonly<Record<string, string>> = {
  "uWebSockets.js": "src/transport/uws.ts",
  msgpackr: "src/protocol/msgpack/general.ts",
  yaml: "src/config/yaml.ts",
  chokidar: "src/config/watch.ts",
  pino: "src/log.ts",
  ws: "src/worker/socket-node.ts",
  jose: "src/access/jwt.ts",
  undici: "src/http/client.ts",
};

test("each outside package has exactly one importing file", () => {
  const doors = new Map<string, Set<string>>();
  for (const file of source)
    for (const { target } of file.imports) {
      if (target.startsWith("src/") || target.startsWith("node:") || target === "tercet") continue;
      doors.set(target, (doors.get(target) ?? new Set()).add(file.path));
    }
  for (const [name, files] of doors)
    assert.equal(files.size, 1, `${name} is imported by ${[...files].join(", ")}`);
  for (const [name, door] of Object.entries(DOORS))
    assert.deepEqual([...(doors.get(name) ?? [])], [door], name);
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    dependencies: object;
  };
  for (const name of Object.keys(dependencies))
    assert.ok(doors.has(name), `${name} is a dependency and has a door`);
});

/** What everybody may use: no state of the engine, nothing above it. */
const GROUND = ["src/assert.ts", "src/clock.ts", "src/log.ts", "src/metrics.ts", "src/version.ts"];

/** The layers: by folder, which folders and single files it may import beside its own and the ground. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  transport: ["src/protocol/", "src/registry/slots.ts"],
  registry: [
    "src/protocol/",
    "src/router/routing-table.ts",
    "src/transport/connection.ts",
    "src/access/session.ts",
  ],
  router: [
    "src/protocol/",
    "src/registry/",
    "src/transport/",
    "src/builtin/builtin.ts",
    "src/access/",
    "src/http/",
    "src/telemetry/",
  ],
  access: ["src/protocol/", "src/registry/", "src/transport/"],
  http: ["src/protocol/", "src/registry/"],
  telemetry: ["src/http/"],
  operations: ["src/protocol/", "src/registry/", "src/router/", "src/transport/"],
  channels: ["src/protocol/", "src/registry/", "src/transport/"],
  builtin: [
    "src/access/",
    "src/protocol/",
    "src/registry/",
    "src/router/",
    "src/channels/",
    "src/transport/",
  ],
  worker: ["src/protocol/"],
  config: [
    "src/protocol/limits.ts",
    "src/access/rights.ts", // what a rule and a prefix are is said in one place
    "src/access/rules.ts",
    "src/http/glob.ts",
    "src/transport/certificates.ts", // and so is what a certificate, an origin and a loopback address are
    "src/transport/hosts.ts",
    "src/transport/origins.ts",
  ],
  supervisor: ["src/config/", "src/protocol/"],
};

const DATA_PATH = ["transport", "protocol", "router", "registry", "channels"];

test("who may import whom", () => {
  for (const [folder, allowed] of Object.entries(MAY_IMPORT)) {
    const files = source.filter((file) => file.path.startsWith(`src/${folder}/`));
    assert.ok(files.length > 0, `src/${folder} is there`);
    for (const { path, imports } of files) {
      for (const { target } of imports.filter((one) => one.target.startsWith("src/"))) {
        const isAllowed = [`src/${folder}/`, ...GROUND, ...allowed].some(
          (one) => target === one || (one.endsWith("/") && target.startsWith(one)),
        );
        assert.ok(isAllowed, `${path} must not import ${target}`);
      }
    }
  }
});

test("the data path imports nothing of supervisor, config, cli, or the engine that is made of it", () => {
  for (const { path, imports } of source.filter((file) =>
    DATA_PATH.some((folder) => file.path.startsWith(`src/${folder}/`)),
  ))
    for (const { target } of imports)
      assert.doesNotMatch(
        target,
        /^src\/(supervisor|config|cli|worker|examples|engine|main|index|supervision)\b/,
        path,
      );
});

test("what registry takes from transport and router takes from builtin is types", () => {
  const rules: [string, string][] = [
    ["src/registry/", "src/transport/"],
    ["src/registry/", "src/access/"],
    ["src/router/", "src/builtin/"],
    ["src/router/", "src/http/"],
    ["src/router/", "src/telemetry/"],
  ];
  for (const [from, to] of rules)
    for (const { path, imports } of source.filter((file) => file.path.startsWith(from)))
      for (const one of imports.filter((entry) => entry.target.startsWith(to)))
        assert.ok(one.isTypeOnly, `${path} imports values of ${one.target}`);
});

test("the worker SDK is fit for browsers: nothing of Node but the socket that is for Node", () => {
  const reachable = new Set(
    source.filter((file) => file.path.startsWith("src/worker/")).map((file) => file.path),
  );
  for (const path of reachable)
    for (const { target } of source.find((file) => file.path === path)?.imports ?? [])
      if (target.startsWith("src/")) reachable.add(target);
  for (const path of reachable) {
    if (path === "src/worker/socket-node.ts") continue;
    for (const { target } of source.find((file) => file.path === path)?.imports ?? [])
      assert.ok(!target.startsWith("node:") && target !== "ws", `${path} imports ${target}`);
  }
});

test("the protocol is pure: no sockets, no processes, no clock", () => {
  for (const { path, imports } of source.filter((file) => file.path.startsWith("src/protocol/")))
    for (const { target } of imports)
      assert.ok(!/^node:(?!fs$|buffer$)|^src\/(clock|log|metrics)/.test(target), `${path} imports ${target}`);
});

test(`no file has more than ${LINES_MAX} lines, each opens with a comment, none is a drawer for odds and ends`, () => {
  for (const { path, text } of everything) {
    assert.ok(text.split("\n").length <= LINES_MAX + 1, `${path} has ${text.split("\n").length - 1} lines`);
    assert.match(text, /^(#!.*\n)?\/[/*]/, `${path} opens with a comment`);
    assert.doesNotMatch(path, /(^|[/.-])(utils?|common|helpers?|misc)([/.-]|$)/, path);
  }
});
