// Telemetry frames from socket to collector: counted, exported as they came, dropped with a counter when nobody takes them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openSocket } from "../access/support.js";
import { scriptedServer } from "../http/support.js";
import { eventually } from "../support/eventually.js";
import { testEngine } from "../support/test-engine.js";

const TRACES = '{"resourceSpans":[{"x":1.0}]}';

test("frames on / and /otel reach the collector by their signal, as they came", async (t) => {
  const collector = await scriptedServer(t, (response) => response.end("{}"));
  const rig = await testEngine(t, {
    telemetry: { endpoint: `${collector.url}/base/`, headers: { "x-key": "k" } },
  });
  const worker = await rig.json();
  worker.socket.send(Buffer.from(`OTLP${TRACES}`));
  const otel = openSocket(`ws://127.0.0.1:${rig.port}/otel`);
  t.after(() => otel.terminate());
  await new Promise((resolve) => otel.once("open", resolve));
  otel.send(Buffer.from('MTRC{"resourceMetrics":[]}'));
  otel.send(Buffer.from('LOGS{"resourceLogs":[]}'));
  await eventually("all three are exported", () => rig.counter("telemetry_frames_exported") === 3);
  assert.deepEqual(collector.received.map(({ path }) => path).sort(), [
    "/base/v1/logs",
    "/base/v1/metrics",
    "/base/v1/traces",
  ]);
  const traces = collector.received.find(({ path }) => path.endsWith("traces"));
  assert.equal(traces?.body, TRACES);
  assert.equal(traces?.headers["content-type"], "application/json");
  assert.equal(traces?.headers["x-key"], "k");
});

test("without a collector frames are dropped and counted; what is not UTF-8 or has no prefix is malformed", async (t) => {
  const rig = await testEngine(t);
  const otel = openSocket(`ws://127.0.0.1:${rig.port}/otel`);
  t.after(() => otel.terminate());
  await new Promise((resolve) => otel.once("open", resolve));
  otel.send(Buffer.from(`OTLP${TRACES}`));
  otel.send(Buffer.from("OTLP\xff", "latin1"));
  otel.send(Buffer.from("NOPE{}"));
  otel.send(Buffer.from("OT"));
  await eventually("all are counted", () => rig.counter("frames_malformed") === 2);
  assert.equal(rig.counter("telemetry_frames"), 2);
  assert.equal(rig.counter("telemetry_frames_dropped"), 1);
  assert.equal(rig.counter("telemetry_frames_malformed"), 1);
  assert.equal(otel.readyState, otel.OPEN);
});

test("a collector that hangs costs bounded bytes: beyond them frames are dropped, and the engine goes on", async (t) => {
  const collector = await scriptedServer(t, () => undefined);
  const rig = await testEngine(t, {
    telemetry: { endpoint: collector.url, queueBytesMax: 1_000, timeoutMs: 100 },
  });
  const worker = await rig.json();
  for (let count = 0; count < 20; count++) worker.socket.send(Buffer.from(`OTLP${" ".repeat(190)}{}`));
  await worker.settle();
  assert.equal(rig.counter("telemetry_frames_dropped"), 15, "five of 192 bytes fit");
  await eventually("those end as well", () => rig.counter("telemetry_frames_dropped") === 20);
});

test("a collector that refuses, then works again: frames of the meantime are counted as dropped", async (t) => {
  let isWell = false;
  const collector = await scriptedServer(t, (response) => {
    response.statusCode = isWell ? 200 : 503;
    response.end();
  });
  const rig = await testEngine(t, { telemetry: { endpoint: collector.url } });
  const worker = await rig.json();
  worker.socket.send(Buffer.from(`OTLP${TRACES}`));
  await eventually("it is dropped", () => rig.counter("telemetry_frames_dropped") === 1);
  isWell = true;
  worker.socket.send(Buffer.from(`OTLP${TRACES}`));
  await eventually("it is exported", () => rig.counter("telemetry_frames_exported") === 1);
});
