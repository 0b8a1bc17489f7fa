// Lines by themselves, between two plain sockets: whatever they do short of corrupting, what arrives is the beginning of what was sent, in its order.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { Line, type LineFaults } from "../../src/testing/index.js";
import { Random } from "../support/random.js";

const BYTES = 20_000;

/** What arrives of numbered bytes that are sent in chunks over a line with these faults. */
async function arrived(
  t: TestContext,
  faults: LineFaults,
  seed: number,
): Promise<{ bytes: Buffer; line: Line }> {
  const chunks: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", () => undefined); // cut: a close follows
    socket.on("close", () => server.close());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const random = new Random(seed);
  const { port } = server.address() as AddressInfo; // a listening TCP server has one
  const line = await Line.open(() => port, { faults, random: () => random.next() });
  t.after(() => line.close());
  const client = connect(line.port, "127.0.0.1").on("error", () => undefined); // cut, too
  const closed = once(server, "close");
  await once(client, "connect");
  for (let at = 0; at < BYTES && client.writable; at += 50) {
    client.write(numbered(at, 50));
    await new Promise(setImmediate); // a chunk of its own
  }
  client.end();
  await closed;
  return { bytes: Buffer.concat(chunks), line };
}

function numbered(from: number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, at) => ((from + at) * 7) & 0xff));
}

test("split and delayed bytes arrive whole and in order", async (t) => {
  const { bytes, line } = await arrived(t, { split: 0.5, delayMs: [0, 3] }, 1);
  assert.ok(bytes.equals(numbered(0, BYTES)));
  assert.ok(line.counts.split > 10 && line.counts.delayed > 50);
});

test("a cut loses the end of what was sent, and nothing within", async (t) => {
  let cuts = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const { bytes, line } = await arrived(t, { split: 0.5, delayMs: [0, 4], cut: 0.02 }, seed);
    assert.ok(bytes.equals(numbered(0, bytes.length)), `seed ${seed}`);
    cuts += line.counts.cut;
  }
  assert.ok(cuts > 20, `${cuts} were cut`);
});

test("corrupted bytes are changed, and as many", async (t) => {
  const { bytes, line } = await arrived(t, { corrupt: 0.2 }, 2);
  assert.equal(bytes.length, BYTES);
  assert.ok(line.counts.corrupted > 5 && !bytes.equals(numbered(0, BYTES)));
});
