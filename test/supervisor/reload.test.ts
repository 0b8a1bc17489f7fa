// A changed configuration file: what is restarted, what is left alone, what is refused. Real files, watched; real processes.
import { strict as assert } from "node:assert";
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { loadConfig, parseConfig } from "../../src/config/load.js";
import type { ReloadOutcome } from "../../src/supervisor/messages.js";
import { eventually } from "../support/eventually.js";
import { type Supervised, supervised } from "../support/supervised.js";

const parallel = { concurrency: true, timeout: 60_000 };
const SETTLE = "reload: { settle_ms: 40 }\n";

/** Entries as flow mappings; a command that sleeps and readiness at the start unless they say otherwise. */
function workers(...entries: string[]): string {
  const line = (entry: string): string => {
    const command = entry.includes("command:") ? "" : ", command: [sleep, '1000']";
    const ready = entry.includes("ready:") ? "" : ", ready: started";
    return `  - { ${entry}${command}${ready} }\n`;
  };
  return `${SETTLE}workers:\n${entries.map(line).join("")}`;
}

function outcome(it: Supervised, nth = 1): Promise<ReloadOutcome> {
  return eventually(`outcome ${nth}`, () => it.outcomes[nth - 1]);
}

async function pids(it: Supervised): Promise<Record<string, number | undefined>> {
  return Object.fromEntries((await it.supervisor.status()).map(({ name, pid }) => [name, pid]));
}

describe("a changed file", parallel, () => {
  test("starts the added, stops the removed, restarts the changed, and leaves the unchanged their process", async (t) => {
    const it = await supervised(t).start(
      workers("name: same", "name: gone", "name: other, env: { A: 1 }", "name: tuned"),
    );
    const before = await pids(it);
    it.write(
      workers("name: same", "name: other, env: { A: 2 }", "name: tuned, stop: { grace_ms: 1 }", "name: new"),
    );
    const applied = await outcome(it);
    assert(applied.kind === "applied");
    assert.deepEqual(applied.workers, {
      added: ["new"],
      removed: ["gone"],
      changed: ["other"],
      adjusted: ["tuned"],
      unchanged: ["same"],
    });
    await it.entered("new", "ready");
    await it.entered("other", "ready", 2);
    const after = await pids(it);
    assert.deepEqual(Object.keys(after).sort(), ["new", "other", "same", "tuned"]);
    assert.equal(after["same"], before["same"]);
    assert.equal(after["tuned"], before["tuned"]);
    assert.notEqual(after["other"], before["other"]);
    assert.deepEqual(it.alive().sort(), Object.values(after).sort());
  });

  test("that only moved, was commented or reordered changes nothing", async (t) => {
    const it = await supervised(t).start(workers("name: a", "name: b"));
    const before = await pids(it);
    it.write(`# a comment\n${workers("name: b", "name: a").replace("workers:", "modules:")}`);
    assert.deepEqual(await it.supervisor.reload(), { kind: "unchanged" });
    assert.deepEqual(await pids(it), before);
  });

  test("that is invalid touches nothing and tells every problem with its place", async (t) => {
    const it = await supervised(t).start(workers("name: a"));
    const before = await pids(it);
    it.write(`${workers("name: a")}  - { name: b }\nserver: { prot: 1 }\n`);
    const invalid = await outcome(it);
    assert(invalid.kind === "invalid");
    assert.match(invalid.text, /:5:11: unknown key "prot"[\s\S]*\^\^\^\^[\s\S]*did you mean "port"/);
    assert.match(invalid.text, /:4:13: worker "b" has no command/);
    assert.deepEqual(await pids(it), before);
  });

  test("is checked against the machine before anything is touched", async (t) => {
    const it = await supervised(t).start(workers("name: a"));
    it.write(
      workers("name: a, env: { A: 1 }", "name: b, command: [nowhere-to-be-found]", "name: c, cwd: nowhere"),
    );
    const invalid = await it.supervisor.reload();
    assert(invalid.kind === "invalid");
    assert.deepEqual(
      invalid.problems.map(({ line }) => line),
      [4, 5],
    );
    assert.match(invalid.text, /no program "nowhere-to-be-found"[\s\S]*no directory .*nowhere/);
    assert.deepEqual(it.states("a"), ["starting", "ready"]);
  });

  test("with a port that somebody else holds is refused, one that an entry frees is taken", async (t) => {
    const it = supervised(t);
    const [port, taken] = [await freePort(), await listening()];
    t.after(() => taken.server.close());
    const entry = (name: string, at: number): string =>
      `name: ${name}, command: [node, -e, "require('net').createServer().listen(${at}, '127.0.0.1')"], ready: { tcp: ${at} }`;
    const write = (text: string): string => `${SETTLE}workers:\n  - { ${text} }\n`;
    await it.start(write(entry("one", port)));
    await it.entered("one", "ready");
    it.write(write(entry("one", taken.port)));
    const refused = await it.supervisor.reload();
    assert(refused.kind === "invalid");
    assert.match(refused.text, new RegExp(`port ${taken.port} is taken`));
    it.write(write(entry("two", port)));
    assert.equal((await it.supervisor.reload()).kind, "applied");
    await it.entered("two", "ready");
  });

  test("that needs another engine process is refused as a whole", async (t) => {
    const it = await supervised(t).start(workers("name: a"));
    it.write(`${workers("name: b")}server: { port: 1234 }\n`);
    assert.deepEqual(await it.supervisor.reload(), { kind: "restart_needed", keys: ["server.port"] });
    assert.deepEqual(Object.keys(await pids(it)), ["a"]);
  });

  test("is seen when written in place, renamed over, or deleted and created again", async (t) => {
    const it = await supervised(t).start(workers("name: a"));
    const next = join(it.directory, "next");
    const ways = [
      (text: string) => writeFileSync(it.file, text),
      (text: string) => {
        writeFileSync(next, text);
        renameSync(next, it.file);
      },
      (text: string) => {
        unlinkSync(it.file);
        setTimeout(() => writeFileSync(it.file, text), 150);
      },
    ];
    for (const [index, write] of ways.entries()) {
      write(workers("name: a", `name: n${index}`));
      assert.equal((await outcome(it, index + 1)).kind, "applied");
    }
    assert.deepEqual(Object.keys(await pids(it)), ["a", "n2"]);
  });

  test("is seen when a symbolic link is swapped, as in a Kubernetes volume", async (t) => {
    const it = supervised(t);
    const revision = (n: number, text: string): void => {
      mkdirSync(join(it.directory, `rev${n}`));
      writeFileSync(join(it.directory, `rev${n}`, "config.yaml"), text);
      symlinkSync(`rev${n}`, join(it.directory, "..data_tmp"));
      renameSync(join(it.directory, "..data_tmp"), join(it.directory, "..data"));
    };
    revision(1, workers("name: a"));
    symlinkSync("..data/config.yaml", it.file);
    await it.supervisor.start({ config: loadConfig(it.file), url: "ws://127.0.0.1:1", engine: it.engine });
    revision(2, workers("name: b"));
    assert.equal((await outcome(it)).kind, "applied");
    assert.deepEqual(Object.keys(await pids(it)), ["b"]);
  });

  test("of equal content is skipped, and one that stays away is invalid", async (t) => {
    const it = await supervised(t).start(workers("name: a"));
    it.write(workers("name: a"));
    rmSync(it.file);
    const gone = await outcome(it);
    assert(gone.kind === "invalid");
    assert.match(gone.text, /config file not found/);
    it.write(workers("name: a"));
    await eventually("nothing more is told", async () => (await it.supervisor.plan()).kind === "unchanged");
    assert.equal(it.outcomes.filter(({ kind }) => kind === "applied").length, 0);
  });

  test("that never was is no change: an engine without a file reloads to what it is", async (t) => {
    const it = supervised(t);
    await it.supervisor.start({ config: parseConfig("{}"), url: "ws://127.0.0.1:1", engine: it.engine });
    assert.deepEqual(await it.supervisor.reload(), { kind: "unchanged" });
  });

  test("can be asked about before it is applied", async (t) => {
    const it = await supervised(t).start(
      `reload: { watch: false }\n${workers("name: a").replace(SETTLE, "")}`,
    );
    const text = `reload: { watch: false }\n${workers("name: b").replace(SETTLE, "")}`;
    const planned = await it.supervisor.plan({ text, shownAs: "draft.yaml" });
    assert(planned.kind === "applied");
    assert.deepEqual(planned.workers.added, ["b"]);
    assert.deepEqual(Object.keys(await pids(it)), ["a"]);
    it.write(text);
    assert.deepEqual(await it.supervisor.reload(), planned);
    assert.deepEqual(it.outcomes, [], "the file is not watched");
  });

  test("a changed worker that does not start leaves the rest applied and follows its restart policy", async (t) => {
    const it = await supervised(t).start(workers("name: a", "name: b"));
    it.write(
      workers(
        "name: a, command: 'exit 1', restart: { delay_ms: 1, max_restarts: 1, probe_ms: 0 }",
        "name: c",
      ),
    );
    assert.equal((await outcome(it)).kind, "applied");
    await it.entered("a", "crash_loop");
    await it.entered("c", "ready");
    it.write(workers("name: a", "name: c"));
    assert.equal((await outcome(it, 2)).kind, "applied");
    await it.entered("a", "ready", 4);
  });
});

describe("replicas", parallel, () => {
  test("are processes of their own names, scaled without touching those that stay", async (t) => {
    const it = await supervised(t).start(workers("name: a, replicas: 2"));
    const before = await pids(it);
    assert.deepEqual(Object.keys(before), ["a#0", "a#1"]);
    it.write(workers("name: a, replicas: 4"));
    await it.supervisor.reload();
    await it.entered("a#3", "ready");
    const grown = await pids(it);
    assert.deepEqual([grown["a#0"], grown["a#1"]], [before["a#0"], before["a#1"]]);
    it.write(workers("name: a, replicas: 1"));
    await it.supervisor.reload();
    await it.entered("a", "ready");
    assert.deepEqual(Object.keys(await pids(it)), ["a"]);
    assert.equal(it.alive().length, 1);
  });

  test("are told that only one serves what is not shared", async (t) => {
    const it = supervised(t);
    it.write(workers("name: a, replicas: 3"));
    assert.match(loadConfig(it.file).warnings[0]?.message ?? "", /only one of its 3 processes serves/);
    it.write(`functions: [{ match: "*", share: round_robin }]\n${workers("name: a, replicas: 3")}`);
    assert.deepEqual(loadConfig(it.file).warnings, []);
  });
});

function freePort(): Promise<number> {
  return listening().then(({ server, port }) => new Promise((resolve) => server.close(() => resolve(port))));
}

function listening(): Promise<{ server: Server; port: number }> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve({ server, port: typeof address === "object" && address !== null ? address.port : 0 });
    });
  });
}
