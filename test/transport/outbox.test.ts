// The outbox on a scripted socket: what is gathered, in which order it leaves, and what happens when the peer does not read.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Metrics } from "../../src/metrics.js";
import { Arena } from "../../src/transport/arena.js";
import { Outbox, Outboxes, type OutgoingSocket, SendStatus } from "../../src/transport/outbox.js";
import { Random } from "../support/random.js";

class ScriptedSocket implements OutgoingSocket {
  readonly sent: { bytes: Buffer; isBinary: boolean; isCorked: boolean }[] = [];
  buffered = 0;
  status: number = SendStatus.Sent;
  #isCorked = false;

  send(message: Uint8Array, isBinary: boolean): number {
    this.sent.push({ bytes: Buffer.from(new Uint8Array(message)), isBinary, isCorked: this.#isCorked });
    if (this.status === SendStatus.Backpressure) this.buffered += message.length;
    return this.status;
  }

  cork(write: () => void): void {
    this.#isCorked = true;
    write();
    this.#isCorked = false;
  }

  getBufferedAmount(): number {
    return this.buffered;
  }

  get text(): string {
    return this.sent.map((one) => one.bytes.toString()).join("|");
  }
}

function rig(isText: boolean, hardBytes = 1_000_000) {
  const arena = new Arena(1);
  const metrics = new Metrics();
  let flushes = 0;
  const shared = new Outboxes(arena, metrics, hardBytes, () => flushes++);
  const outbox = new Outbox(shared, 7, isText);
  const socket = new ScriptedSocket();
  outbox.open(socket);
  const write = (text: string, into = outbox) => {
    const at = into.reserve(Buffer.byteLength(text) + 20); // writers ask for more than they need
    const bytes = Buffer.from(text);
    arena.bytes.set(bytes, at);
    into.commit(at, at + bytes.length);
  };
  const append = (text: string) => outbox.append(Buffer.from(`<${text}>`), 1, Buffer.byteLength(text) + 1);
  return { arena, metrics, shared, outbox, socket, write, append, flushes: () => flushes };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("records of one turn leave in one binary message at its end", async () => {
  const { socket, append, write, flushes, outbox } = rig(false);
  append("one");
  write("two");
  append("three");
  assert.equal(outbox.load, 11);
  assert.equal(socket.sent.length, 0);
  await turn();
  assert.equal(socket.text, "onetwothree");
  assert.deepEqual([socket.sent[0]?.isBinary, outbox.load, flushes()], [true, 0, 1]);
  append("next turn");
  await turn();
  assert.equal(socket.text, "onetwothree|next turn");
});

test("JSON frames of one turn leave one by one, as text, corked together; a single one without a cork", async () => {
  const { socket, write } = rig(true);
  write("alone");
  await turn();
  write("a");
  write("béé");
  write("");
  write("c");
  await turn();
  assert.equal(socket.text, "alone|a|béé||c");
  assert.deepEqual(
    socket.sent.map((one) => [one.isBinary, one.isCorked]),
    [[false, false], ...Array(4).fill([false, true])],
  );
});

test("what grows beyond a small and a large chunk keeps its order", async () => {
  for (const isText of [false, true]) {
    const { socket, write, outbox } = rig(isText);
    const random = new Random(9);
    let expected = "";
    for (let n = 0; n < 400; n++) {
      const text = `<${n}:${"x".repeat(random.pick([0, 10, 500, 4_000, 15_000, 70_000].slice(0, n % 20 === 0 ? 6 : 4)))}>`;
      expected += text;
      write(text);
      if (n % 50 === 49) await turn();
    }
    await turn();
    assert.ok(
      socket.sent.map((one) => one.bytes.toString()).join("") === expected,
      `text ${isText}: order and bytes`,
    );
    assert.equal(outbox.load, 0);
  }
});

test("a large run is sent at once, after what was gathered before it", async () => {
  const { socket, append } = rig(false);
  append("small");
  append("L".repeat(20_000));
  assert.deepEqual(
    socket.sent.map((one) => one.bytes.length),
    [5, 20_000],
  );
  append("after");
  await turn();
  assert.deepEqual(
    socket.sent.map((one) => one.bytes.length),
    [5, 20_000, 5],
  );
});

test("a frame may be reused at once by whoever appended it", async () => {
  const { socket, outbox } = rig(false);
  const frame = Buffer.from("original");
  outbox.append(frame, 0, 8);
  frame.fill("x");
  await turn();
  assert.equal(socket.text, "original");
});

test("several outboxes do not mix, and flush() of all sends everything now", async () => {
  const { shared, socket, write } = rig(true);
  const other = new Outbox(shared, 8, true);
  const second = new ScriptedSocket();
  other.open(second);
  for (let n = 0; n < 50; n++) {
    write(`a${n}`);
    write(`b${n}`, other);
  }
  shared.flush();
  assert.equal(socket.text, Array.from({ length: 50 }, (_, n) => `a${n}`).join("|"));
  assert.equal(second.text, Array.from({ length: 50 }, (_, n) => `b${n}`).join("|"));
  await turn();
  assert.equal(socket.sent.length, 50, "and nothing twice");
});

test("backpressure counts into the load until it has drained", async () => {
  const { socket, append, outbox, shared } = rig(false);
  socket.status = SendStatus.Backpressure;
  append("x".repeat(1_000));
  await turn();
  assert.equal(outbox.load, 1_000);
  append("y".repeat(10));
  assert.equal(outbox.load, 1_010);
  await turn();
  socket.status = SendStatus.Sent;
  socket.buffered = 300;
  outbox.refresh();
  assert.equal(outbox.load, 300);
  socket.buffered = 0;
  append("z");
  await turn();
  assert.equal(outbox.load, 0, "a send that goes through tells, too");
  assert.deepEqual(shared.takeOverrun(), []);
});

test("beyond the hard bound, or with a dropped message, the owner is reported once, and the end of the turn follows", async () => {
  const over = rig(false, 5_000);
  over.socket.status = SendStatus.Backpressure;
  over.append("x".repeat(5_000));
  await turn();
  assert.deepEqual(over.shared.takeOverrun(), [], "at the bound is not beyond it");
  over.append("x");
  await turn();
  assert.deepEqual(over.shared.takeOverrun(), [7]);
  over.append("x");
  await turn();
  assert.deepEqual(over.shared.takeOverrun(), []);
  const dropped = rig(false);
  dropped.socket.status = SendStatus.Dropped;
  dropped.append("x".repeat(20_000));
  await turn();
  assert.deepEqual(dropped.shared.takeOverrun(), [7]);
  assert.equal(dropped.metrics.get("sends_dropped"), 1);
  assert.ok(dropped.flushes() >= 1, "also when nothing was gathered");
});

test("after close() nothing is sent, nothing waits, and writing goes nowhere", async () => {
  for (const isText of [false, true]) {
    const { socket, write, outbox } = rig(isText);
    write("gathered");
    outbox.close();
    write("late");
    write("L".repeat(100_000));
    await turn();
    assert.deepEqual([socket.sent.length, outbox.load], [0, 0]);
  }
});

test("what is sent is counted: messages, bytes, and bytes copied", async () => {
  const { metrics, append, write } = rig(false);
  append("12345");
  write("678");
  append("L".repeat(20_000));
  await turn();
  assert.deepEqual(
    ["frames_sent", "bytes_sent", "bytes_copied"].map((name) => metrics.get(name as "frames_sent")),
    [2, 20_008, 8],
  );
});
