// What may be said about functions is bounded in bytes, for each function and each connection, on both wires; a refusal ends nothing but the registration.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CARD_BYTES_MAX } from "../../src/protocol/limits.js";
import type { JsonPeer } from "../support/json-peer.js";
import type { MsgpackPeer } from "../support/msgpack-peer.js";
import { testEngine } from "../support/test-engine.js";

const LIMIT = { limits: { functionBytesPerConnectionMax: 4_096 } };
/** A format of about a kilobyte. */
const KILOBYTE = { text: "x".repeat(1_000) };

async function registerJson(peer: JsonPeer, id: string, format: object): Promise<string | undefined> {
  peer.register(id, { request_format: format });
  const [told, ...more] = await peer.drain();
  assert.deepEqual(more, []);
  if (told !== undefined)
    assert.deepEqual([told.type, told.function_id], ["registrationrefused", id], JSON.stringify(told));
  return told === undefined ? undefined : String(told["code"]);
}

async function registerMsgpack(peer: MsgpackPeer, mode: number, functions: unknown[]): Promise<unknown> {
  peer.send([18, 5, mode, functions]);
  const answer = await peer.next();
  return answer[0] === 19 ? undefined : answer[2];
}

test("a JSON connection's cards are bounded together; what is replaced or taken away makes room", async (t) => {
  const on = await testEngine(t, LIMIT);
  const peer = await on.json();
  for (const id of ["a", "b", "c"]) assert.equal(await registerJson(peer, id, KILOBYTE), undefined);
  assert.equal(await registerJson(peer, "d", KILOBYTE), "limit_reached");
  assert.equal(
    await registerJson(peer, "c", KILOBYTE),
    undefined,
    "the same again takes the place of itself",
  );
  assert.equal(
    await registerJson(peer, "d", {}),
    undefined,
    "the connection and the id are as good as before",
  );
  peer.send({ type: "unregisterfunction", id: "a" });
  assert.equal(await registerJson(peer, "d", KILOBYTE), undefined);
  assert.equal(on.counter("registrations_refused"), 1);
  const other = await on.json();
  assert.equal(await registerJson(other, "e", KILOBYTE), undefined, "each connection has its own bound");
  await peer.close();
  await other.close();
});

test("one function's card has at most a mebibyte on the JSON wire, as on the other", async (t) => {
  const on = await testEngine(t);
  const peer = await on.json();
  const large = { text: "x".repeat(CARD_BYTES_MAX) };
  assert.equal(await registerJson(peer, "f", large), "limit_reached");
  const msgpack = await on.msgpack();
  assert.equal(await registerMsgpack(msgpack, 0, [["g", null, large]]), "invalid_record");
  assert.equal(on.engine.stats().functions, on.engine.functions.offers.count);
});

test("a msgpack connection's cards are bounded together, a list as a whole; replacing counts what stays", async (t) => {
  const on = await testEngine(t, LIMIT);
  const peer = await on.msgpack();
  const cards = (...ids: string[]) => ids.map((id) => [id, null, KILOBYTE]);
  assert.equal(await registerMsgpack(peer, 0, cards("a", "b", "c")), undefined);
  assert.equal(await registerMsgpack(peer, 0, cards("d", "e")), "limit_reached");
  assert.deepEqual(await peer.resolve("d", "e"), [0, 0], "nothing of it is registered");
  assert.equal(await registerMsgpack(peer, 0, cards("a", "b", "c")), undefined);
  assert.equal(await registerMsgpack(peer, 1, cards("x", "y", "z")), undefined);
  assert.equal(await registerMsgpack(peer, 1, cards("1", "2", "3", "4", "5")), "limit_reached");
  assert.equal(on.engine.functions.offers.cardBytesOf(1) <= 4_096, true);
});

test("the cards of functions that change hands count for whoever has them", async (t) => {
  const on = await testEngine(t, LIMIT);
  const [first] = await on.msgpackOffering([]);
  await registerMsgpack(first, 0, [["a", null, KILOBYTE]]);
  const { worker, token } = first.welcome;
  const again = await on.msgpack({ previous: { worker, token } });
  assert.equal(await registerMsgpack(again, 1, [["a", null, KILOBYTE]]), undefined);
  await first.closed;
  const { offers } = on.engine.functions;
  const bytes = Array.from({ length: 8 }, (_, index) => offers.cardBytesOf(index + 1));
  assert.deepEqual(
    bytes.filter((count) => count > 0).length,
    1,
    `one connection has them: ${JSON.stringify(bytes)}`,
  );
});

test("the formats of a connection's trigger types are bounded together", async (t) => {
  const on = await testEngine(t, LIMIT);
  const peer = await on.json();
  const provide = async (id: string, format: object): Promise<unknown> => {
    peer.send({ type: "registertriggertype", id, description: "", trigger_request_format: format });
    return (await peer.drain())[0]?.["code"];
  };
  for (const id of ["a", "b", "c"]) assert.equal(await provide(id, KILOBYTE), undefined);
  assert.equal(await provide("d", KILOBYTE), "limit_reached");
  assert.equal(await provide("c", KILOBYTE), undefined);
  const msgpack = await on.msgpack();
  msgpack.send([26, 1, ["a", "b", "c", "d", "e"].map((id) => [`m${id}`, "", KILOBYTE])]);
  assert.deepEqual((await msgpack.next()).slice(0, 3), [25, 1, "limit_reached"]);
});

test("of a provider's refusal as much is kept as listings show; its owner gets all of it", async (t) => {
  const on = await testEngine(t);
  const [provider, owner] = [await on.json(), await on.json()];
  provider.send({ type: "registertriggertype", id: "mail", description: "" });
  await provider.settle();
  owner.send({ type: "registertrigger", id: "t", trigger_type: "mail", function_id: "f", config: {} });
  const offer = await provider.next();
  const error = { code: "no", message: "x".repeat(100_000) };
  provider.send({ ...offer, type: "triggerregistrationresult", error });
  assert.equal((await owner.next()).error?.message.length, 100_000);
  const { triggers } = on.engine.triggers;
  assert.ok(triggers.error.length(triggers.find("t")) < 2_000);
});
