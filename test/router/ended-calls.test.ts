// The log of slow calls, and calls counted by function while somebody watches.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "../../src/log.js";
import { quantileMs } from "../../src/router/durations.js";
import { eventually } from "../support/eventually.js";
import { FakeClock } from "../support/fake-clock.js";
import { testEngine } from "../support/test-engine.js";

interface Line {
  msg: string;
  functionId?: string;
  caller?: string;
  executor?: string;
  elapsedMs?: number;
  ended?: string;
  calls?: number;
}

function logTo(lines: Line[]) {
  return createLogger({
    format: "json",
    destination: { write: (line) => lines.push(JSON.parse(line) as Line) },
  });
}

test("a slow call is logged with its function, its two sides, its time and its end; a quick one is not", async (t) => {
  const lines: Line[] = [];
  const clock = new FakeClock();
  const { json, keep, counter } = await testEngine(t, { log: logTo(lines), clock, slowCallMs: 100 });
  const worker = keep(await json({ name: "shop" }));
  worker.send({ type: "registerfunction", id: "shop::sell" });
  const caller = await json({ name: "front" });
  const quick = caller.call("shop::sell", 1);
  worker.answer(await worker.next(), 1);
  await quick;
  const slow = caller.call("shop::sell", 2);
  const asked = await worker.next();
  clock.advance(150);
  worker.answer(asked, 1);
  await slow;
  const [line, ...others] = lines.filter(({ msg }) => msg === "slow call");
  assert.deepEqual(others, []);
  assert.equal(line?.functionId, "shop::sell");
  assert.equal(line?.caller, "front");
  assert.equal(line?.executor, "shop");
  assert.equal(line?.ended, "answered");
  assert.ok(
    line?.elapsedMs !== undefined && line.elapsedMs >= 134 && line.elapsedMs <= 166,
    `${line?.elapsedMs} ms`,
  );
  const stopped = caller.call("shop::sell", 3);
  await worker.next();
  clock.advance(150);
  worker.socket.terminate();
  assert.equal((await stopped).error?.code, "invocation_stopped");
  await eventually("the second line", () => lines.filter(({ msg }) => msg === "slow call").length === 2);
  assert.equal(lines.filter(({ msg }) => msg === "slow call")[1]?.ended, "invocation_stopped");
  assert.equal(counter("calls_slow"), 2);
});

test("ten lines a second, then how many more there were", async (t) => {
  const lines: Line[] = [];
  const clock = new FakeClock();
  const { jsonOffering, engine } = await testEngine(t, { log: logTo(lines), clock });
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  const calls = Array.from({ length: 25 }, () => caller.call("f", 1));
  const asked = [];
  for (const _ of calls) asked.push(await worker.next());
  clock.advance(50);
  engine.endedCalls.logSlow(20);
  for (const one of asked) worker.answer(one, 1);
  await Promise.all(calls);
  assert.equal(lines.filter(({ msg }) => msg === "slow call").length, 10);
  clock.advance(1_000);
  assert.equal(lines.find(({ msg }) => msg.startsWith("more slow calls"))?.calls, 15);
  engine.endedCalls.logSlow(0);
  const last = caller.call("f", 1);
  const question = await worker.next();
  clock.advance(5_000);
  worker.answer(question, 1);
  await last;
  assert.equal(lines.filter(({ msg }) => msg === "slow call").length, 10, "none once it is off");
});

test("calls are counted by function from the first question on, and no longer once nobody has asked for five seconds", async (t) => {
  const clock = new FakeClock();
  const { jsonOffering, engine } = await testEngine(t, { clock });
  const worker = await jsonOffering("f", "g");
  const caller = await jsonOffering();
  const callOnce = async (id: string, tookMs: number): Promise<void> => {
    const call = caller.call(id, 1);
    const asked = await worker.next();
    clock.advance(tookMs);
    worker.answer(asked, 1);
    await call;
  };
  await callOnce("f", 0);
  assert.equal(engine.endedCalls.byFunction().size, 0);
  await callOnce("f", 40);
  await callOnce("f", 40);
  await callOnce("g", 0);
  const counted = engine.endedCalls.byFunction();
  assert.equal(counted.size, 2);
  const [f, g] = [...counted.values()];
  assert.equal(
    f?.counts.reduce((sum, count) => sum + count),
    2,
  );
  const median = quantileMs(f?.counts ?? [], 0.5) ?? 0;
  assert.ok(median > 20 && median < 80, `${median} ms`);
  assert.equal(
    g?.counts.reduce((sum, count) => sum + count),
    1,
  );
  clock.advance(6_000);
  await callOnce("f", 0);
  await callOnce("f", 0);
  assert.equal(engine.endedCalls.byFunction().size, 0, "a new count");
});
