// Offers: words, and the cards that belong to them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { OfferState, Offers, OfferWord } from "../../src/registry/offers.js";

test("take() clears what an offer before left; free() gives it back; 0 when full", () => {
  const offers = new Offers(2, 9);
  const first = offers.take(7, 9, OfferState.Standby);
  assert.deepEqual(
    [
      offers.get(first, OfferWord.function),
      offers.get(first, OfferWord.connection),
      offers.get(first, OfferWord.state),
    ],
    [7, 9, 1],
  );
  offers.set(first, OfferWord.round, 5);
  offers.setCard(first, Buffer.from("{}"), 0, 2);
  offers.take(1, 1, OfferState.Serving);
  assert.equal(offers.take(1, 2, OfferState.Serving), 0);
  assert.equal(offers.count, 2);
  offers.free(first);
  const again = offers.take(3, 4, OfferState.Serving);
  assert.deepEqual([again, offers.get(again, OfferWord.round), offers.card(again)], [first, 0, undefined]);
});

test("cards are replaced, dropped, and survive the compaction that thousands of others cause", () => {
  const offers = new Offers(100, 1);
  const kept = offers.take(1, 1, OfferState.Serving);
  const busy = offers.take(2, 1, OfferState.Serving);
  const none = offers.take(3, 1, OfferState.Serving);
  const card = (offer: number, text: string) => {
    const bytes = Buffer.from(`  ${text} `);
    offers.setCard(offer, bytes, 2, bytes.length - 1);
  };
  card(kept, '{"description":"é"}');
  for (let round = 0; round < 3_000; round++) card(busy, `{"round":${round},"x":"${"x".repeat(100)}"}`);
  assert.equal(offers.card(kept), '{"description":"é"}');
  assert.equal(offers.card(busy)?.startsWith('{"round":2999,'), true);
  assert.equal(offers.card(none), undefined);
  offers.setCard(kept, new Uint8Array(0), 0, 0);
  assert.equal(offers.card(kept), undefined);
});
