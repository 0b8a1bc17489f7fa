// Who is at the door, by address: the bounds, what counts as one address, and that nothing is kept of those who are gone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Visitors, visitorKey } from "../../src/transport/visitors.js";

const bounds = { connectionsPerAddressMax: 2, handshakesPerAddressMax: 2, handshakesMax: 3 };
const [A, B, C] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"] as const;

test("handshakes are bounded by address and in total, and are free again when the request comes or the socket goes", () => {
  const visitors = new Visitors(bounds);
  const first = visitors.came(A);
  assert.ok(first !== null && visitors.came(A) !== null);
  assert.equal(visitors.came(A), null, "a third of one address");
  assert.ok(visitors.came(B) !== null);
  assert.equal(visitors.came(C), null, "a fourth of all");
  visitors.gaveUp(first);
  visitors.answered(visitors.asked(A));
  visitors.answered(visitors.asked(B));
  assert.deepEqual([visitors.handshakes, visitors.count], [0, 0]);
});

test("connections are bounded by address; who has too many is refused at accept as well", () => {
  const visitors = new Visitors(bounds);
  const enter = (): boolean => {
    assert.ok(visitors.came(A) !== null);
    return visitors.stays(visitors.asked(A));
  };
  assert.ok(enter() && enter());
  assert.equal(visitors.came(A), null);
  const visitor = visitors.asked(A); // it came before the others stayed
  assert.ok(!visitors.stays(visitor));
  visitors.left(visitor);
  assert.ok(enter());
  visitors.left(visitor);
  visitors.left(visitor);
  assert.deepEqual([visitors.handshakes, visitors.count], [0, 0]);
});

test("an IPv6 visitor is its /64, an IPv4 address within IPv6 is that address", () => {
  const one = "2001:0db8:0001:0002:0000:0000:0000:0001";
  const same = "2001:0db8:0001:0002:ffff:ffff:ffff:ffff";
  const other = "2001:0db8:0001:0003:0000:0000:0000:0001";
  assert.equal(visitorKey(one), visitorKey(same));
  assert.notEqual(visitorKey(one), visitorKey(other));
  assert.equal(visitorKey("0000:0000:0000:0000:0000:ffff:7f00:0001"), "127.0.0.1");
  assert.equal(visitorKey("192.0.2.7"), "192.0.2.7");
});
