// Every command against a real engine: what it prints, in words and as JSON, and its exit code.
import { strict as assert } from "node:assert";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runTercet, Tercet, WORKER_SDK } from "../support/tercet.js";

const it = new Tercet();
const config = (more = ""): string =>
  `server: { port: 0 }\nreload: { watch: false }\nworkers:\n  - { name: math, command: [node, math.mjs], ${it.mark} }\n  - { name: pool, command: 'echo hello; exec sleep 1000', ready: { log: hello }, replicas: 2, ${it.mark} }\n${more}`;

after(() => it.close());

describe("against a running engine", { timeout: 60_000 }, () => {
  before(async () => {
    writeFileSync(
      join(it.directory, "math.mjs"),
      `import { connect } from ${JSON.stringify(WORKER_SDK)};
const worker = await connect();
worker.register("math::add", ({ a, b }) => a + b, { description: "Adds." });
worker.register("math::fail", () => { throw new Error("no such number"); });
worker.register("math::nothing", () => null);
worker.register("math::never", () => new Promise(() => {}));
console.log("serving");
`,
    );
    it.spawn(config());
    await it.logged((line) => line.msg === "serving");
    await it.entered("pool#1", "ready");
  });
  test("call prints the result, indented or on one line, and nothing for nothing", async () => {
    assert.deepEqual(await it.run("call", "math::add", "a=2", "b=3"), { code: 0, out: "5\n", err: "" });
    assert.deepEqual(await it.run("call", "math::add", '{"a":"x","b":[1]}'), {
      code: 0,
      out: '"x1"\n',
      err: "",
    });
    assert.deepEqual(await it.run("call", "math::nothing"), { code: 0, out: "", err: "" });
    assert.equal((await it.run("call", "worker::list", "--json")).out.split("\n").length, 2);
  });

  test("call tells an error with its code on standard error and ends with 1", async () => {
    const failed = await it.run("call", "math::fail");
    assert.deepEqual([failed.code, failed.out], [1, ""]);
    assert.match(failed.err, /no such number.*\(invocation_failed\)/);
    assert.match(
      (await it.run("call", "nowhere")).err,
      /nowhere not found in namespace default.*\(function_not_found\)/,
    );
    assert.match((await it.run("call", "math::add", "-n", "blue")).err, /namespace blue/);
    const late = await it.run("call", "math::never", "--timeout", "50");
    assert.deepEqual(
      [late.code, late.err],
      [1, "math::never did not answer within 50 ms (deadline_exceeded)\n"],
    );
  });

  test("list shows functions and workers", async () => {
    const functions = await it.run("list", "functions", "math");
    assert.match(
      functions.out,
      /FUNCTION +NAMESPACE +WORKER +DESCRIPTION\nmath::add +default +math +Adds\.\n/,
    );
    const rows = JSON.parse((await it.run("list", "workers", "--json")).out);
    assert(rows.some((row: { name: string }) => row.name === "math"));
  });

  test("ps, status and logs show the declared workers", async () => {
    assert.match(
      (await it.run("ps")).out,
      /^WORKER +STATE[^\n]*\nmath +ready +\d+[^\n]*\npool#0 +ready[^\n]*\npool#1 +ready/,
    );
    assert.match(
      (await it.run("status")).out,
      /^engine +tercet \d+\.\d+\.\d+, pid \d+[^\n]*\nlistening +127\.0\.0\.1:\d+\nconfig +\S+config\.yaml, in force[^\n]*\nconnected[^\n]*\n\nWORKER +[^\n]*\nmath +ready +\d+ +\w+ +0 +\d+ MiB/,
    );
    assert.match((await it.run("logs", "pool")).out, /\[pool#\d \d+ stdout\] hello\n/);
    assert.equal(JSON.parse((await it.run("logs", "math", "--json")).out).text, "serving");
  });

  test("stop, start and restart act on every name and tell each failure", async () => {
    const stopped = await it.run("stop", "pool#0", "nobody");
    assert.deepEqual([stopped.code, stopped.out], [1, "pool#0: stopped\n"]);
    assert.match(
      stopped.err,
      /^nobody: there is no declared worker "nobody"; declared: math, pool \(W110\)\n$/,
    );
    assert.match((await it.run("ps")).out, /pool#0 +stopped +-/);
    assert.match((await it.run("start", "pool#0")).out, /^pool#0: started, pid \d+\n$/);
    assert.match((await it.run("restart", "pool")).out, /^pool: restarted, pid \d+\n$/);
  });

  test("worker::* answers with the reference's shapes and coded errors", async () => {
    const call = async (id: string, payload: unknown): Promise<Record<string, unknown>> =>
      JSON.parse((await it.run("call", id, JSON.stringify(payload))).out);
    const status = await call("worker::status", { name: "math" });
    const { pid, processes, stdout_tail, ...rest } = status;
    assert.deepEqual(rest, {
      name: "math",
      installed: true,
      worker_type: "local",
      running: true,
      version: null,
      logs_dir: null,
      stderr_tail: [],
      hint: null,
    });
    assert.deepEqual([typeof pid, Array.isArray(processes), stdout_tail], ["number", true, ["serving"]]);
    const logs = await call("worker::logs", { name: "math", tail: 5 });
    assert.deepEqual([logs["name"], logs["stdout"], logs["stderr"]], ["math", ["serving"], []]);
    assert.match(
      (await it.run("call", "worker::stop", "name=math")).err,
      /stopping a worker needs yes: true \(W104\)/,
    );
    assert.match((await it.run("call", "worker::logs", "name=x")).err, /\(W110\)/);
    assert.match((await it.run("call", "worker::start", "[]")).err, /\(W105\)/);
  });

  test("config diff, reload and validate agree on what a change does", async () => {
    assert.deepEqual(await it.run("config", "diff"), { code: 0, out: "no change\n", err: "" });
    const draft = join(it.directory, "draft.yaml");
    writeFileSync(draft, config("  - { name: extra, command: [sleep, '1000'], ready: started }\n"));
    const expected = "  started: extra\n  untouched: math, pool\n";
    assert.equal((await it.run("config", "diff", draft)).out, `would be applied:\n${expected}`);
    it.write(config("  - { name: extra, command: [sleep, '1000'], ready: started }\n"));
    assert.equal((await it.run("reload")).out, `applied:\n${expected}`);
    writeFileSync(draft, config().replace("port: 0", "port: 9"));
    const refused = await it.run("config", "diff", draft);
    assert.deepEqual(
      [refused.code, refused.out],
      [1, "nothing would be applied: restart the engine to change server.port\n"],
    );
    writeFileSync(draft, "a: 1");
    const invalid = await it.run("config", "diff", draft);
    assert.equal(invalid.code, 1);
    assert.match(invalid.out, /draft\.yaml:1:1: unknown key "a"/);
  });
});

describe("without an engine", { concurrency: 2, timeout: 60_000 }, () => {
  test("a command says that none answers, and how to start one", async () => {
    const { code, err } = await runTercet(["ps", "--url", "ws://127.0.0.1:1"]);
    assert.equal(code, 1);
    assert.match(
      err,
      /^no engine answers at ws:\/\/127\.0\.0\.1:1; start one with: tercet \(connect_failed\)\n$/,
    );
  });

  test("a wrong command line is told with what would be right, exit code 2", async () => {
    const cases: readonly [string[], RegExp][] = [
      [["sttaus"], /did you mean status\?/],
      [["frobnicate"], /tercet --help lists them/],
      [["config"], /config needs one of: diff, print/],
      [["ps", "--jsn"], /did you mean --json\?/],
      [["--confg", "x"], /did you mean --config\?/],
      [["list", "things"], /tercet list functions, or tercet list workers/],
      [["call"], /which function\?/],
      [["call", "f", "{nope"], /neither JSON/],
      [["call", "f", "a=1", "b"], /"b" is no KEY=VALUE/],
      [["ps", "--timeout", "soon"], /whole milliseconds/],
      [["stop"], /which worker\?/],
    ];
    for (const [words, message] of cases) {
      const { code, err, out } = await runTercet(words);
      assert.deepEqual([code, out], [2, ""], words.join(" "));
      assert.match(err, message);
    }
  });

  test("help and version", async () => {
    assert.match((await runTercet(["--version"])).out, /^\d+\.\d+\.\d+\n$/);
    const { out } = await runTercet(["--help"]);
    for (const word of ["validate", "config diff", "call FUNCTION", "exit codes:", "--config FILE"])
      assert(out.includes(word), word);
    assert.match((await runTercet(["help", "logs"])).out, /usage: tercet logs NAME[\s\S]*-f, --follow/);
    assert.equal((await runTercet(["logs", "--help"])).out, (await runTercet(["help", "logs"])).out);
  });

  test("validate tells every problem, in words and as JSON", async () => {
    const bad = join(it.directory, "bad.yaml");
    writeFileSync(bad, "server: { prot: 1 }\nworkers: [{ name: a, command: [nowhere-to-be-found] }]\n");
    const { code, err, out } = await runTercet(["validate", bad]);
    assert.deepEqual([code, out], [1, "2 problems\n"]);
    assert.match(err, /bad\.yaml:1:11: unknown key[\s\S]*bad\.yaml:2:31: there is no program/);
    const elsewhere = await runTercet(["validate", bad, "--no-machine"]);
    assert.deepEqual([elsewhere.code, elsewhere.out], [1, "1 problem\n"]);
    writeFileSync(bad, 'workers: [{ name: a, command: ["${NOT_SET}", x] }]\n');
    assert.equal((await runTercet(["validate", bad])).out, "1 problem\n", "an unset variable is one problem");
    writeFileSync(bad, "workers: [{ name: a, command: [nowhere-to-be-found] }]\n");
    const [problem] = JSON.parse((await runTercet(["validate", bad, "--json"])).out).problems;
    assert.deepEqual([problem.line, problem.column], [1, 31]);
    assert.equal((await runTercet(["validate", bad, "--no-machine"])).code, 0);
  });

  test("config print fills in defaults and hides secrets", async () => {
    const file = join(it.directory, "secret.yaml");
    writeFileSync(
      file,
      "workers: [{ name: a, command: [ls], env: { DB: 'postgres://me:pw1@h/d', API_TOKEN: pw2 }, config: { password: pw3, port: 5 } }]\n",
    );
    const { out } = await runTercet(["config", "print", file]);
    assert.doesNotMatch(out, /pw[123]/);
    assert.match(out, /postgres:\/\/me:\(hidden\)@h\/d/);
    assert.match(out, /max_restarts: 5/);
  });
});
