// The public test suites through a running engine: every JSON text and every msgpack encoding, as a payload and as a field of the envelope.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { type MsgpackPeer, pack } from "../support/msgpack-peer.js";
import { msgpackSuite } from "../support/msgpack-suite.js";
import { testEngine } from "../support/test-engine.js";
import { bytes, canonicalAnswer, hex } from "../support/wire.js";

const JSON_SUITE = "../shared/data/json-test-suite/test_parsing";
const ID = "9d6a2b0c-5d3e-4a4e-8f1c-2b7c1b1f0a01";

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // refused: what this function tells
  }
}

const levels = (text: string) => /^\[{200}|^(\[\{"":){100}/.test(text);

test("every text of the JSON suite as data, metadata and result: passed on as it is, or refused as JSON.parse refuses it", async (t) => {
  if (!existsSync(JSON_SUITE)) return t.skip(`${JSON_SUITE} is not here`);
  const { jsonOffering, counter } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  let passed = 0;
  let refused = 0;
  for (const file of readdirSync(JSON_SUITE)) {
    const raw = readFileSync(`${JSON_SUITE}/${file}`);
    const text = raw.toString("utf8");
    if (!Buffer.from(text).equals(raw)) continue; // not UTF-8: the WebSocket layer ends such a connection, see below
    const frame = (before: string, behind = "}") => `${before}${text}${behind}`;
    for (const field of ["data", "metadata"]) {
      const sent = frame(`{"type":"invokefunction","invocation_id":"${ID}","function_id":"f","${field}":`);
      caller.sendText(sent);
      if (isJson(sent) && !levels(text)) {
        const call = await worker.next(file);
        const value = text.trim();
        if (field === "metadata" && value !== "null")
          assert.ok(worker.text.endsWith(`"metadata":${value}}`), file);
        if (field === "data" && !value.startsWith("{"))
          assert.ok(worker.text.endsWith(`"data":${value}}`), `${file}: ${worker.text.slice(0, 200)}`);
        if (field === "data" && value.startsWith("{"))
          assert.ok(worker.text.endsWith(`${value.slice(1)}}`), file);
        const answer = frame(
          `{"type":"invocationresult","invocation_id":"${call.invocation_id}","function_id":"f","result":`,
        );
        worker.sendText(answer);
        await caller.next(file);
        if (value === "null") assert.equal(caller.text.includes('"result"'), false, file);
        else assert.ok(caller.text.endsWith(`"result":${value}}`), file);
        passed++;
      } else {
        const answers = await caller.drain();
        assert.ok(answers.length <= 1, file);
        for (const answer of answers)
          assert.ok(["payload_invalid", "payload_out_of_bounds"].includes(answer.error?.code ?? ""), file);
        refused++;
      }
    }
  }
  assert.ok(passed > 180 && refused > 300, `${passed} passed, ${refused} refused`);
  assert.equal(counter("answers_invalid"), 0);
  await worker.settle();
});

test("a text that is not UTF-8 ends its connection only, as text; as a binary frame it is dropped", async (t) => {
  if (!existsSync(JSON_SUITE)) return t.skip(`${JSON_SUITE} is not here`);
  const { jsonOffering, counter } = await testEngine(t);
  const peer = await jsonOffering();
  const other = await jsonOffering();
  let files = 0;
  for (const file of readdirSync(JSON_SUITE)) {
    const raw = readFileSync(`${JSON_SUITE}/${file}`);
    if (Buffer.from(raw.toString("utf8")).equals(raw)) continue;
    peer.socket.send(raw, { binary: true });
    files++;
  }
  await peer.settle();
  assert.ok(files > 20);
  assert.equal(counter("frames_malformed"), files);
  peer.socket.send(Buffer.from([0x7b, 0xff, 0x7d]), { binary: false });
  assert.equal((await peer.closed).code, 1006);
  await other.settle();
});

test("every encoding of the msgpack suite as a payload is opaque, and as any field of a call it is read, refused, or skipped", async (t) => {
  const suite = msgpackSuite(t);
  if (suite === undefined) return;
  const { msgpackOffering } = await testEngine(t);
  const [peer, [f]] = (await msgpackOffering(["f"])) as [MsgpackPeer, [number]];
  const fn = pack(f);
  for (const { encodings } of suite) {
    for (const encoding of encodings) {
      const what = hex(encoding);
      const payload = Buffer.concat([bytes("c4"), Buffer.of(encoding.length), encoding]);
      for (const form of [
        [bytes("97 01 07"), fn, bytes("00 00 c0"), payload],
        [bytes("98 01 07"), fn, bytes("00 00 c0"), payload, encoding],
      ]) {
        peer.sendBytes(Buffer.concat(form));
        const call = await peer.next(what);
        assert.equal(call[0], 1, what);
        assert.equal(hex(call[6] as Uint8Array), what);
        peer.sendBytes(canonicalAnswer(2, call[1] as number, encoding));
        assert.equal(hex((await peer.next())[2] as Uint8Array), what);
      }
      const fields = [
        [bytes("97 01"), encoding, fn, bytes("00 00 c0 c0")],
        [bytes("97 01 07"), encoding, bytes("00 00 c0 c0")],
        [bytes("97 01 07"), fn, encoding, bytes("00 c0 c0")],
        [bytes("97 01 07"), fn, bytes("00"), encoding, bytes("c0 c0")],
        [bytes("97 01 07"), fn, bytes("00 00"), encoding, bytes("c0")],
        [bytes("97 01 07"), fn, bytes("00 00 c0"), encoding],
      ];
      for (const field of fields) {
        peer.sendBytes(Buffer.concat(field));
        const record = await peer.next(what);
        if (record[0] === 1) {
          peer.send([2, record[1], null]);
          assert.equal((await peer.next())[0], 2, what);
        } else assert.ok(record[0] === 3 || record[0] === 25, `${what}: ${JSON.stringify(record)}`);
      }
      peer.sendBytes(Buffer.concat([bytes("93"), bytes("63"), encoding, encoding]));
    }
  }
  await peer.settle();
});
