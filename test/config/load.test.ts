// The configuration file: what is read from it, and what is said about each way to get it wrong.
import { strict as assert } from "node:assert";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { loadConfig, parseConfig } from "../../src/config/load.js";
import { ConfigError, type ConfigProblem } from "../../src/config/problem.js";

const directory = mkdtempSync(join(tmpdir(), "tercet-config-"));
after(() => rmSync(directory, { recursive: true }));

function problemsOf(text: string, env: Record<string, string> = {}): readonly ConfigProblem[] {
  try {
    parseConfig(text, { shownAs: "config.yaml", env });
  } catch (error) {
    assert(error instanceof ConfigError, String(error));
    return error.problems;
  }
  return [];
}

function only(text: string, env: Record<string, string> = {}): ConfigProblem {
  const problems = problemsOf(text, env);
  assert.equal(problems.length, 1, JSON.stringify(problems, null, 1));
  return problems[0]!;
}

function fileProblem(name: string, content: string | Buffer): ConfigProblem {
  const path = join(directory, name);
  writeFileSync(path, content);
  return loadProblem(path);
}

function loadProblem(path: string): ConfigProblem {
  try {
    loadConfig(path, {});
  } catch (error) {
    assert(error instanceof ConfigError, String(error));
    assert.equal(error.problems.length, 1, error.message);
    return error.problems[0]!;
  }
  throw new Error(`${path} was accepted`);
}

describe("parseConfig() reads", () => {
  test("an empty mapping as every default", () => {
    const config = parseConfig("{}");
    assert.deepEqual(config.server, {
      host: "127.0.0.1",
      port: 49_134,
      max_message_bytes: 64 << 20,
      idle_timeout_s: 120,
      handshake_timeout_ms: 10_000,
      drain_ms: 5_000,
      shutdown_timeout_ms: 30_000,
    });
    assert.deepEqual(config.listeners, [
      { name: "server", host: "127.0.0.1", port: 49_134, handshake_timeout_ms: 10_000 },
    ]);
    assert.equal(config.limits.call_timeout_ms, 330_000);
    assert.deepEqual(config.workers, []);
  });

  test("a worker with its short forms filled in", () => {
    const text =
      "workers:\n  - name: a\n    command: [node, a.js]\n    restart: never\n    depends_on: [b]\n  - name: b\n    command: sleep 1\n    ready: { log: up }\n";
    const [a, b] = parseConfig(text, { file: "/etc/tercet/config.yaml" }).workers;
    assert.deepEqual(a?.command, ["node", "a.js"]);
    assert.equal(a?.cwd, "/etc/tercet");
    assert.equal(a?.restart.policy, "never");
    assert.equal(a?.restart.max_restarts, 5);
    assert.equal(a?.ready.until, "registered");
    assert.deepEqual(a?.depends_on, [{ name: "b", until: "ready" }]);
    assert.deepEqual(b?.command, ["/bin/sh", "-c", "sleep 1"]);
    assert.deepEqual([b?.ready.until, b?.ready.log, b?.ready.timeout_ms], ["log", "up", 60_000]);
  });

  test("the reference's listeners, several of them, loopback where no host is named", () => {
    const text =
      "workers:\n  - name: iii-worker-manager\n    config: { port: 4000 }\nmodules:\n  - name: iii-worker-manager\n    config: { port: 4001, host: 0.0.0.0 }\n  - name: iii-telemetry\n    config: { enabled: true }\n";
    const config = parseConfig(text);
    assert.deepEqual(
      config.listeners.map(({ name, host, port }) => [name, host, port]),
      [
        ["iii-worker-manager", "127.0.0.1", 4000],
        ["iii-worker-manager#1", "0.0.0.0", 4001],
      ],
    );
    assert.match(config.warnings[0]?.message ?? "", /binds 127\.0\.0\.1/);
    assert.equal(config.warnings[0]?.line, 2);
    assert.match(config.warnings[1]?.message ?? "", /iii-telemetry is no module of its own here/);
  });

  test("iii-exec as a command whose last step stays", () => {
    const [exec] = parseConfig(
      "workers:\n  - name: iii-exec\n    config:\n      exec: [npm i, it's]\n",
    ).workers;
    assert.deepEqual(exec?.command, ["/bin/sh", "-c", "/bin/sh -c 'npm i' && exec /bin/sh -c 'it'\\''s'"]);
    assert.equal(exec?.ready.until, "started");
  });

  test("CRLF, a byte order mark and anchors", () => {
    const text = "\ufeffserver:\r\n  port: 5000\r\nworkers:\r\n  - &a { name: a, command: [x] }\r\n";
    assert.equal(parseConfig(text).server.port, 5000);
  });

  test("III_NAMESPACE_GRACE_MS above the file, and refuses nonsense in it", () => {
    const text = "registration_namespace_grace_ms: 10";
    assert.equal(parseConfig(text).registration_namespace_grace_ms, 10);
    assert.equal(
      parseConfig(text, { env: { III_NAMESPACE_GRACE_MS: "7" } }).registration_namespace_grace_ms,
      7,
    );
    assert.match(only(text, { III_NAMESPACE_GRACE_MS: "soon" }).message, /III_NAMESPACE_GRACE_MS is "soon"/);
  });
});

describe("parseConfig() expands", () => {
  const portOf = (written: string, env: Record<string, string> = {}): unknown =>
    parseConfig(`server: { host: h }\nworkers: [{ name: a, command: [x], config: ${written} }]`, { env })
      .workers[0]?.env["III_WORKER_CONFIG"];

  test("a reference, and reads a plain one again as a scalar", () => {
    assert.equal(portOf('{ a: "${A}" }', { A: "80" }), '{"a":"80"}');
    assert.equal(parseConfig("server:\n  port: ${PORT:5001}").server.port, 5001);
    assert.equal(parseConfig("server:\n  port: ${PORT:5001}", { env: { PORT: "81" } }).server.port, 81);
  });

  test("to text or number, as the key wants, and never changes what a variable says", () => {
    const env = { PORT: "81", NAME: "123", KEY: "007", BIG: "12345678901234567890", FLAG: "true" };
    const text =
      'server: { port: "${PORT}" }\nreload:\n  watch: ${FLAG}\nworkers:\n  - name: ${NAME}\n    command: [x, "${PORT}"]\n    env: { K: "${KEY}", B: "${BIG}", F: "${FLAG}" }\n    replicas: ${PORT}\n';
    const { server, reload, workers } = parseConfig(text, { env });
    assert.deepEqual(
      [server.port, reload.watch, workers[0]?.name, workers[0]?.replicas],
      [81, true, "123", 81],
    );
    assert.deepEqual(
      [workers[0]?.command, workers[0]?.env],
      [["x", "81"], { K: "007", B: "12345678901234567890", F: "true" }],
    );
    assert.equal(
      only("server:\n  port: ${P}", { P: "s3cret" }).message,
      "server.port: expected a number, found something else in its variable",
    );
  });

  test("defaults that hold a colon, are empty, or begin with a minus", () => {
    assert.equal(portOf('"${X:http://h:1}"'), '"http://h:1"');
    assert.equal(portOf('"${X:}"'), '""');
    assert.equal(portOf('"${X:-a}"'), '"-a"');
  });

  test("a set variable even when it is empty, adjacent ones, and leaves other dollars alone", () => {
    assert.equal(portOf('"${X:d}|${Y}${Z}|$100|${OPEN"', { X: "", Y: "1", Z: "2" }), '"|12|$100|${OPEN"');
  });

  test("no YAML out of a variable and nothing in comments or keys", () => {
    const text = "# ${NOWHERE}\nworkers:\n  - name: a\n    command: [x]\n    config:\n      ${K}: ${V}\n";
    const [a] = parseConfig(text, { env: { V: "{ b: 1 }\nc: 2" } }).workers;
    assert.equal(a?.env["III_WORKER_CONFIG"], '{"${K}":"{ b: 1 }\\nc: 2"}');
  });

  test("nothing where names are missing: all of them are told, each at its place", () => {
    const problems = problemsOf('server:\n  port: ${PORT}\n  host: "x${HOST}y"\n');
    assert.deepEqual(
      problems.map(({ line, column, message }) => [line, column, message]),
      [
        [2, 9, "the variable PORT is not set and no default provided"],
        [3, 11, "the variable HOST is not set and no default provided"],
      ],
    );
  });
});

describe("parseConfig() refuses", () => {
  test("a typo, with the nearest key and a caret under it", () => {
    const { line, column, message, hint, length } = only("server:\n  prot: 1\n");
    assert.deepEqual([line, column, length], [2, 3, 4]);
    assert.equal(message, 'unknown key "prot"');
    assert.equal(hint, 'did you mean "port"?');
  });

  test("an unknown key without neighbour by telling the known ones", () => {
    assert.match(only("reload: { zzzzzz: 1 }").hint ?? "", /watch, settle_ms, on_invalid/);
  });

  test("an unknown key inside a short form's mapping", () => {
    const problem = only("workers:\n  - name: a\n    command: [x]\n    restart:\n      polizy: never\n");
    assert.deepEqual([problem.line, problem.column, problem.hint], [5, 7, 'did you mean "policy"?']);
  });

  test("wrong types and values with what would be right", () => {
    assert.equal(only("server: { port: abc }").message, 'server.port: expected a number, found text "abc"');
    assert.equal(only("server: { port: 70000 }").message, "server.port: expected at most 65535, found 70000");
    assert.match(
      only("workers: [{ name: a, command: [x], restart: sometimes }]").message,
      /always \| on-failure \| never/,
    );
    assert.match(only("workers:\n").message, /workers: expected a list, found nothing/);
    assert.match(only("[]").message, /expected a mapping, found a list/);
    assert.match(only("server: { idle_timeout_s: 3 }").hint ?? "", /0 \(never\) or 8 to 960/);
    assert.match(only("workers: [{ command: [x] }]").message, /the key "name" is missing/);
  });

  test("everything at once", () => {
    const lines = problemsOf("server:\n  prot: 1\n  host: 5\nlog:\n  level: loud\nworkers: 3\n").map(
      ({ line }) => line,
    );
    assert.deepEqual(lines.sort(), [2, 3, 5, 6]);
  });

  test("in parts and in the whole at once, and nobody for depending on what is wrong", () => {
    const text =
      "workers:\n  - { name: a, commnd: [x] }\n  - { name: b, command: [x], depends_on: [a, c] }\n  - { name: d }\n";
    assert.deepEqual(
      problemsOf(text).map(({ line, message }) => [line, message]),
      [
        [2, 'unknown key "commnd"'],
        [3, 'there is no worker named "c"'],
        [4, 'worker "d" has no command'],
      ],
    );
  });

  test("what this engine does not have, at its place", () => {
    assert.match(only("workers:\n  - name: a\n    image: x/y\n").hint ?? "", /container runtime/);
    assert.match(only("workers:\n  - name: iii-state\n").message, /no built-in iii-state/);
    assert.match(only("workers:\n  - name: mine\n").message, /has no command/);
    assert.match(only("workers:\n  - name: mine\n    worker_path: ./w\n").hint ?? "", /command and cwd/);
    assert.match(only("workers: [{ name: iii-exec }]").message, /required key is missing/);
  });

  test("names that clash or cannot be names", () => {
    const worker = (name: string): string => `{ name: "${name}", command: [x] }`;
    assert.match(only(`workers: [${worker("a")}, ${worker("a")}]`).message, /second worker is named "a"/);
    for (const name of ["a#1", "../x", ".a", "a b", "x".repeat(129)]) {
      assert.match(only(`workers: [${worker(name)}]`).message, /cannot be the name/);
    }
  });

  test("two listeners on one address", () => {
    const listener = "{ name: iii-worker-manager, config: { port: 5, host: h } }";
    assert.match(only(`workers: [${listener}, ${listener}]`).message, /h:5 is already the address/);
  });

  test("dependencies that do not exist or go in a circle", () => {
    const problem = only(
      "workers: [{ name: alpha, command: [x] }, { name: b, command: [x], depends_on: [alhpa] }]",
    );
    assert.equal(problem.hint, 'did you mean "alpha"?');
    const cycle =
      "workers:\n  - { name: a, command: [x], depends_on: [b] }\n  - { name: b, command: [x], depends_on: { c: started } }\n  - { name: c, command: [x], depends_on: [a] }\n";
    assert.match(only(cycle).message, /a -> b -> c -> a/);
    assert.match(only("workers: [{ name: a, command: [x], depends_on: [a] }]").message, /a -> a/);
  });

  test("reserved variables, blank namespaces, two ways to be ready, a broken pattern", () => {
    const worker = (keys: string): string => `workers: [{ name: a, command: [x], ${keys} }]`;
    assert.match(only(worker("env: { III_URL: x }")).message, /III_URL is set by the engine/);
    assert.match(only(worker('namespace: " "')).message, /blank/);
    assert.match(only(worker("ready: { tcp: 1, log: x }")).message, /more than one/);
    assert.match(only(worker('ready: { log: "(" }')).message, /regular expression/i);
    assert.match(only(worker("env_file: nowhere.env")).message, /cannot read .*nowhere\.env/);
  });

  test("bounds that contradict each other", () => {
    for (const text of [
      "limits: { outbox_soft_bytes: 200000000 }",
      "limits: { outbox_hard_bytes: 50000000 }",
    ]) {
      assert.match(only(text).message, /has to hold limits\.outbox_soft_bytes and one message/);
    }
    assert.match(only("limits: { calls_in_flight: 9 }").hint ?? "", /at most 9/);
  });

  test("duplicate keys, tabs, second documents, unclosed quotes, unknown tags", () => {
    assert.deepEqual(
      [only("log: {}\nlog: {}\n").line, only("log: {}\nlog: {}\n").message],
      [2, "this key stands here a second time"],
    );
    assert.match(only("server:\n\tport: 1\n").hint ?? "", /spaces/);
    assert.match(only("log: {}\n---\nlog: {}\n").message, /second document/);
    assert.equal(only('server:\n  host: "x\n').line, 3);
    assert.match(only("server: { port: !int 3 }").message, /tag/);
    assert.match(problemsOf("workers: [${A}]")[0]?.hint ?? "", /quotes/);
  });

  test("anchors that unfold without end, or contain themselves, within a second", () => {
    const levels = Array.from(
      { length: 30 },
      (_, level) => `a${level + 1}: &a${level + 1} [${Array(9).fill(`*a${level}`).join(", ")}]`,
    );
    const started = performance.now();
    assert.match(only(`a0: &a0 [x]\n${levels.join("\n")}\n`).message, /unfolds to more than/);
    assert(performance.now() - started < 1000);
    assert.match(only("workers: &w [*w]").message, /contains itself/);
    assert.match(only("workers: [*nowhere]").message, /alias|anchor/i);
  });

  test("nesting without end", () => {
    for (const depth of [100, 100_000]) {
      const [first] = problemsOf(`workers: ${"[".repeat(depth)}`);
      assert.notEqual(first, undefined);
    }
    assert.match(only(`workers: ${"[".repeat(100)}${"]".repeat(100)}`).message, /deeper than 64/);
    assert.match(only(`workers: ${"[".repeat(20_000)}${"]".repeat(20_000)}`).message, /^nested too deeply/);
  });

  test("an empty file and one of comments alone", () => {
    for (const text of ["", "\n\n", "# nothing\n"]) assert.match(only(text).message, /empty/);
  });
});

describe("loadConfig() refuses", () => {
  test("a file that is missing, a directory, or not readable", (t) => {
    assert.match(loadProblem(join(directory, "none.yaml")).message, /not found/);
    mkdirSync(join(directory, "folder"));
    assert.match(loadProblem(join(directory, "folder")).message, /directory/);
    const path = join(directory, "locked.yaml");
    writeFileSync(path, "{}");
    chmodSync(path, 0);
    if (process.getuid?.() === 0)
      t.diagnostic("running as root: a file without read permission cannot be made");
    else assert.match(loadProblem(path).message, /cannot be read/);
  });

  test("UTF-16, bytes that are not UTF-8, ten megabytes", () => {
    assert.match(fileProblem("utf16.yaml", Buffer.from("\ufeff{}", "utf16le")).message, /UTF-16/);
    assert.match(fileProblem("latin.yaml", Buffer.from([0x61, 0x3a, 0xe9, 0x0a])).message, /UTF-8/);
    assert.match(fileProblem("big.yaml", `# ${"x".repeat(10 << 20)}\n`).message, /10485763 bytes/);
    assert.match(loadProblem("/dev/zero").message, /no file that ends/);
    assert.match(
      only("workers: [{ name: a, command: [x], env_file: /dev/zero }]").message,
      /longer than 1048576 bytes/,
    );
  });
});

test("ConfigError.message shows place, line, caret and what would be right", () => {
  assert.throws(() => parseConfig("server:\n  prot: 1\n", { shownAs: "my.yaml" }), {
    code: "CONFIG_INVALID",
    message: 'my.yaml:2:3: unknown key "prot"\n  2 |   prot: 1\n    |   ^^^^\n  did you mean "port"?',
  });
});

test("parseConfig() answers every cut of a file with a configuration or positioned problems", () => {
  const text =
    'server:\n  port: ${PORT:1}\nworkers:\n  - &a { name: a, command: "x", env: { A: "é" } }\n  - name: b\n    command: [x, "y"]\n    depends_on: { a: ready }\n';
  for (let length = 0; length <= text.length; length++) {
    for (const problem of problemsOf(text.slice(0, length))) assert.notEqual(problem.message, "");
  }
});
