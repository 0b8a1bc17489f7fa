// /metrics, /healthz and /readyz of a running engine: a text that Prometheus' grammar accepts, figures that agree with what happened, and answers under load.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Metrics } from "../../src/metrics.js";
import { prometheusText } from "../../src/operations/prometheus.js";
import { Durations } from "../../src/router/durations.js";
import { isLoopbackHost } from "../../src/transport/hosts.js";
import { testEngine } from "../support/test-engine.js";
import { workerFor } from "../worker/support.js";

const HEAD = /^# (?:HELP ([a-z_]+) \S.*|TYPE ([a-z_]+) (?:counter|gauge|histogram))$/;
const SAMPLE = /^([a-z_]+)(?:\{([a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*)\})? (-?[0-9.e+-]+|NaN|\+Inf|-Inf)$/;

/** Every sample by its name with labels; throws for a line that is neither head nor sample, and for a sample without a head. */
function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const headed = new Set<string>();
  for (const line of text.trimEnd().split("\n")) {
    const head = HEAD.exec(line);
    const sample = SAMPLE.exec(line);
    if (head !== null) headed.add(head[1] ?? head[2] ?? "");
    else if (sample === null) assert.fail(`no line of the format: ${line}`);
    else {
      const [, name = "", labels, value] = sample;
      assert.ok(
        headed.has(name.replace(/_(bucket|sum|count)$/, "")) || headed.has(name),
        `${name} has no head`,
      );
      const key = labels === undefined ? name : `${name}{${labels}}`;
      assert.ok(!samples.has(key), `${key} stands there twice`);
      samples.set(key, Number(value));
    }
  }
  return samples;
}

async function page(port: number, path: string): Promise<{ status: number; type: string; body: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return {
    status: response.status,
    type: response.headers.get("content-type") ?? "",
    body: await response.text(),
  };
}

test("the text is well-formed, and agrees with the calls that were made", async (t) => {
  const { port, jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("echo");
  const caller = await jsonOffering();
  const made = caller.call("echo", 1);
  worker.answer(await worker.next(), 1);
  await made;
  assert.equal((await caller.call("nowhere", 1)).error?.code, "function_not_found");
  const { status, type, body } = await page(port, "/metrics");
  assert.equal(status, 200);
  assert.equal(type, "text/plain; version=0.0.4; charset=utf-8");
  const samples = samplesOf(body);
  assert.equal(samples.get("tercet_workers"), 2);
  assert.equal(samples.get("tercet_calls_open"), 0);
  assert.equal(samples.get("tercet_calls_not_found_total"), 1);
  const opened = samples.get("tercet_calls_opened_total") ?? 0;
  assert.ok(opened >= 1);
  assert.equal(samples.get("tercet_calls_ended_total"), opened);
  assert.equal(samples.get("tercet_call_duration_seconds_count"), opened);
  assert.equal(samples.get('tercet_call_duration_seconds_bucket{le="+Inf"}'), opened);
  assert.equal(samples.get("tercet_limit_connections_max"), 65_535);
  assert.ok((samples.get("tercet_process_resident_memory_bytes") ?? 0) > 1 << 20);
});

test("buckets of the histogram are cumulative", () => {
  const durations = new Durations();
  for (const ms of [0.01, 0.1, 1, 10, 100, 1_000, 1_000_000]) durations.add(ms);
  const samples = samplesOf(prometheusText(new Metrics(), durations, { version: "1" }));
  const buckets = [...samples].filter(([name]) => name.includes("_bucket{"));
  let last = 0;
  for (const [name, value] of buckets) {
    assert.ok(value >= last, name);
    last = value;
  }
  assert.equal(samples.get('tercet_call_duration_seconds_bucket{le="0.000064"}'), 1);
  assert.equal(samples.get('tercet_call_duration_seconds_bucket{le="0.016384"}'), 4);
  assert.equal(last, 7);
});

test("a figure that is no number is written as the format has it", () => {
  const metrics = new Metrics();
  metrics.gauge("odd_ratio", "A figure with \\ and\na line end.", () => Number.NaN);
  const text = prometheusText(metrics, new Durations(), {});
  assert.ok(text.includes("# HELP tercet_odd_ratio A figure with \\\\ and\\na line end.\n"));
  assert.ok(text.includes("tercet_odd_ratio NaN\n"));
});

test("a listener of their own serves the metrics there alone, and answers while the engine drains", async (t) => {
  const { engine, port, jsonOffering } = await testEngine(t, { metrics: { host: "127.0.0.1", port: 0 } });
  const own = engine.metricsListener?.port ?? 0;
  assert.equal((await page(port, "/metrics")).status, 404);
  assert.equal((await page(own, "/metrics")).status, 200);
  assert.equal((await page(own, "/")).status, 404);
  engine.probes.reportReadiness(() => (engine.workers.count === 0 ? "nobody is here" : null));
  assert.deepEqual(await page(own, "/readyz").then(({ status, body }) => [status, JSON.parse(body)]), [
    503,
    { status: "not_ready", reasons: ["nobody is here"] },
  ]);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  assert.equal((await page(port, "/readyz")).status, 200);
  const waiting = caller.call("f", 1);
  const asked = await worker.next();
  const drained = engine.drain(5_000);
  const readiness = await page(own, "/readyz");
  assert.equal(readiness.status, 503);
  assert.deepEqual(JSON.parse(readiness.body).reasons, ["the engine is going down"]);
  assert.equal(samplesOf((await page(own, "/metrics")).body).get("tercet_calls_open"), 1);
  worker.answer(asked, 1);
  await waiting;
  assert.deepEqual(await drained, { callsOpen: 0 });
});

test("not served beside workers where strangers may come: rules, or an address that is not loopback", async (t) => {
  const { engine } = await testEngine(t, { listeners: [] });
  const guarded = engine.listen({ host: "127.0.0.1", port: 0, access: { tokens: [] } });
  assert.equal((await page(guarded.port, "/metrics")).status, 404);
  assert.equal((await page(guarded.port, "/healthz")).status, 200);
  assert.ok(isLoopbackHost("127.1.2.3") && isLoopbackHost("::1") && isLoopbackHost("localhost"));
  assert.ok(!isLoopbackHost("0.0.0.0") && !isLoopbackHost("::") && !isLoopbackHost("127.example.org"));
});

test("probes and metrics are answered under full load", async (t) => {
  const { port } = await testEngine(t);
  const at = { url: `ws://127.0.0.1:${port}` };
  const worker = await workerFor(t, at, { name: "math" });
  await worker.register("echo", (data) => data).ready();
  const caller = await workerFor(t, at);
  let isOver = false;
  let calls = 0;
  const flood = Array.from({ length: 256 }, async () => {
    for (; !isOver; calls++) await caller.call("echo", 1);
  });
  for (let round = 0; round < 20; round++) {
    for (const path of ["/healthz", "/readyz", "/metrics"])
      assert.equal((await page(port, path)).status, 200);
  }
  isOver = true;
  await Promise.all(flood);
  await Promise.all([caller.close(), worker.close()]);
  assert.ok(calls > 1_000, `${calls} calls meanwhile`);
});
