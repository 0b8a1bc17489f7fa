// `tercet drain` against a real engine: a worker, a function of it, the engine itself.
import { strict as assert } from "node:assert";
import { describe, type TestContext, test } from "node:test";
import { MsgpackPeer, pack } from "../support/msgpack-peer.js";
import { runTercet, type Tercet, tercet } from "../support/tercet.js";
import { canonicalAnswer, canonicalCall } from "../support/wire.js";

const NOTHING = pack(null);

async function running(
  t: TestContext,
  text = "server: { port: 0 }\nworkers: []\n",
): Promise<{ it: Tercet; port: number }> {
  const it = tercet(t).spawn(text);
  return { it, port: Number(new URL(await it.url()).port) };
}

describe("tercet drain", { timeout: 60_000, concurrency: 3 }, () => {
  test("WORKER: it is told and leaves; what it did not finish is counted, exit code 4", async (t) => {
    const { it, port } = await running(t);
    const [idle] = await MsgpackPeer.offering(port, ["a", "b"], { name: "idle" });
    assert.deepEqual(await it.run("drain", "idle"), {
      code: 0,
      out: "idle: drained 2 functions and left\n",
      err: "",
    });
    assert.deepEqual(await idle.next("it is told"), [36, null, null, 20_000]);
    assert.equal((await idle.closed).code, 4411);
    const [busy, [f = 0]] = await MsgpackPeer.offering(port, ["f"]);
    const caller = await MsgpackPeer.connect(port);
    caller.sendBytes(canonicalCall(1, f, NOTHING));
    await busy.next("the call");
    const cut = await it.run("drain", busy.welcome.worker, "--timeout", "50");
    assert.deepEqual(cut, {
      code: 4,
      out: `${busy.welcome.worker}: drained 1 functions and left, 1 calls cut off\n`,
      err: "",
    });
    await caller.close();
  });

  test("WORKER/FUNCTION: that one only; and what it does not find", async (t) => {
    const { it, port } = await running(t);
    const [worker] = await MsgpackPeer.offering(port, ["m::f", "m::g"], { name: "w", namespace: "blue" });
    const { out, code } = await it.run("drain", "w/m::f", "--json");
    assert.deepEqual(
      [code, JSON.parse(out)],
      [0, { id: worker.welcome.worker, name: "w", functions: 1, calls_left: 0, left: false }],
    );
    assert.match((await it.run("call", "m::f", "-n", "blue")).err, /function_not_found/);
    const again = await it.run("drain", "w/m::f", "-n", "blue");
    assert.deepEqual(
      [again.code, again.err],
      [1, "Worker w offers no function m::f in namespace blue (NOT_FOUND)\n"],
    );
    assert.match((await it.run("drain", "nobody")).err, /Worker nobody is not connected \(NOT_FOUND\)/);
    await worker.close();
  });

  test("--engine: calls in flight end, the engine ends with 0, workers are told when to come back", async (t) => {
    const { it, port } = await running(t);
    const [worker, [f = 0]] = await MsgpackPeer.offering(port, ["f"]);
    const caller = await MsgpackPeer.connect(port);
    caller.sendBytes(canonicalCall(1, f, NOTHING));
    const [, ticket] = await worker.next("the call");
    const { code, out } = await it.run("drain", "--engine", "--timeout", "30000");
    assert.equal(code, 0);
    assert.match(out, /^engine: ends when its 1 calls in flight have, in 30000 ms at most/);
    await it.logged((line) => line.msg === "stopping: drained by an operator");
    worker.sendBytes(canonicalAnswer(2, ticket as number, NOTHING));
    assert.equal((await caller.next("the answer"))[0], 2);
    assert.deepEqual(await worker.closed, {
      code: 1012,
      reason: "the engine is going down; reconnect_ms=250",
    });
    assert.equal(await it.exited(), 0);
  });

  test("whoever follows the output of a worker holds up no shutdown", async (t) => {
    const { it, port } = await running(
      t,
      "server: { port: 0, drain_ms: 30000 }\nworkers:\n  - { name: quiet, command: [sleep, '1000'], ready: started }\n",
    );
    const follower = await MsgpackPeer.connect(port);
    const [logs = 0] = await follower.resolve(["default", "worker::logs"]);
    follower.sendBytes(canonicalCall(1, logs, pack({ name: "quiet", wait_ms: 25_000 })));
    await follower.settle();
    it.signal("SIGTERM");
    assert.equal(await it.exited(), 0);
  });

  test("a wrong command line says what would be right", async () => {
    for (const words of [
      ["drain"],
      ["drain", "a", "--engine"],
      ["drain", "a", "b"],
      ["drain", "a", "-t", "soon"],
    ]) {
      const { code, err } = await runTercet(words);
      assert.equal(code, 2, words.join(" "));
      assert.match(err, /drain what\?|unexpected "b"|whole milliseconds/);
    }
  });
});
