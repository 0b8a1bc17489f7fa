// Calls awaiting an answer.
//
// A call is a slot; its handle is the ticket that travels to the executor in place of the caller's number, so two callers may use
// the same number. Late, repeated and forged answers find no slot, or not theirs, and are counted, not answered.
//
// One call is 16 int32: one cache line, written once when it opens and read once when it ends. (Sixteen parallel arrays would be
// sixteen lines.) A call hangs in three doubly linked lists, so that whoever leaves costs what it had open and no more:
//
//   word  0 caller          connection index
//   word  1 call            the caller's own number (msgpack callers)
//   word  2 executor        connection index
//   word  3 function        handle
//   word  4 deadline        wheel tick
//   word  5 flags           see Flag
//   word  6, 7              previous, next among the calls of this executor
//   word  8, 9              previous, next among the calls of this caller
//   word 10, 11             previous, next among the calls of this wheel position
//   word 12, 13             when it was entered, in milliseconds, as one double
//   word 14 …               free
//
// Per connection eight int32, six of them in use: first call it executes, first call it made, how many of each, how many it has executed, and its window.
// All of it is address space until it is touched, so nothing ever grows or moves.

import { assert } from "../assert.js";
import { type Handle, INDEX_MASK, Slots } from "../registry/slots.js";

export type Ticket = Handle<"call">;

export const CALL_WORDS = 16;
export const CallWord = {
  caller: 0,
  call: 1,
  executor: 2,
  function: 3,
  deadline: 4,
  flags: 5,
  executorPrevious: 6,
  executorNext: 7,
  callerPrevious: 8,
  callerNext: 9,
  wheelPrevious: 10,
  wheelNext: 11,
} as const;

export const Flag = {
  /** The caller's traceparent waits in the side table for the answer. */
  Trace: 1,
  /** The caller's baggage waits in the calls' baggage map for the answer. */
  Baggage: 2,
  /** The function id as the caller spelled it waits in the calls' map for the answer. */
  SpelledId: 4,
  /** It waits in the queue of its worker, under the engine as its executor. */
  Queued: 8,
} as const;

const PEER_WORDS = 8;
const PeerWord = { executes: 0, calls: 1, executing: 2, calling: 3, executed: 4, window: 5 } as const;

/** Where the double of a call lies, counted in doubles. */
const OPENED_DOUBLE = 6;
const CALL_DOUBLES = CALL_WORDS / 2;

/** Positions of the wheel; with 16 ms a tick one round is 65 s. A later deadline stays for further rounds. */
export const WHEEL_SIZE = 4096;

export class InFlight {
  readonly words: Int32Array;
  /** The time in this turn of the event loop, as {@link Deadlines} keeps it. An array: a double that is handed to a function is an object for each call. */
  readonly turnMs = new Float64Array(1);
  readonly #doubles: Float64Array;
  readonly #peers: Int32Array;
  readonly #wheel = new Int32Array(WHEEL_SIZE);
  readonly #slots: Slots<"call">;
  #ended: (executor: number, fn: number) => void = () => undefined;
  /** Calls ever opened, and ever ended: opened = ended + open, always. */
  opened = 0;
  ended = 0;

  /** `capacity`: calls open at once, at most 2^20 - 1; `connections`: highest connection index. */
  constructor(capacity: number, connections: number) {
    this.#slots = new Slots<"call">(capacity, "wrap");
    this.words = new Int32Array((capacity + 1) * CALL_WORDS);
    this.#doubles = new Float64Array(this.words.buffer);
    this.#peers = new Int32Array((connections + 1) * PEER_WORDS);
    this.setWindow(0, 2 ** 31 - 1); // the engine itself never makes a call wait
  }

  /** `ended(executor, function)` is told of every call that ends at a connection whose window is 0. */
  attach(ended: (executor: number, fn: number) => void): void {
    this.#ended = ended;
  }

  get open(): number {
    return this.#slots.open;
  }

  /** Calls this connection is executing now. */
  executing(connection: number): number {
    return this.#peers[connection * PEER_WORDS + PeerWord.executing]!;
  }

  /** Calls this connection made that are not answered yet. */
  calling(connection: number): number {
    return this.#peers[connection * PEER_WORDS + PeerWord.calling]!;
  }

  /** The first call that this connection executes (slot index), or 0. */
  firstExecuted(connection: number): number {
    return this.#peers[connection * PEER_WORDS + PeerWord.executes]!;
  }

  /** Calls `visit(slot)` for each open call; none may end meanwhile. Costs as many as were ever open at once. */
  eachOpen(visit: (slot: number) => void): void {
    for (let slot = 1; slot < this.#slots.end; slot++) if (this.#slots.isOpen(slot)) visit(slot);
  }

  /** Calls `visit(slot)` for each call that this connection executes; none may end meanwhile. */
  eachExecuted(connection: number, visit: (slot: number) => void): void {
    const next = CallWord.executorNext;
    for (let slot = this.firstExecuted(connection); slot !== 0; slot = this.words[slot * CALL_WORDS + next]!)
      visit(slot);
  }

  /** The first call that this connection made (slot index), or 0. */
  firstMade(connection: number): number {
    return this.#peers[connection * PEER_WORDS + PeerWord.calls]!;
  }

  /** When an open call was entered, in milliseconds of the engine's clock. */
  openedMs(slot: number): number {
    return this.#doubles[slot * CALL_DOUBLES + OPENED_DOUBLE]!;
  }

  /** Calls this connection has executed since it opened, modulo 2^32. */
  executed(connection: number): number {
    return this.#peers[connection * PEER_WORDS + PeerWord.executed]! >>> 0;
  }

  /** Whether a further call to this connection has to be looked at by the queues: it executes as many as its window lets through. */
  isFull(connection: number): boolean {
    const at = connection * PEER_WORDS;
    return this.#peers[at + PeerWord.executing]! >= this.#peers[at + PeerWord.window]!;
  }

  /** How many calls a connection may execute before the queues look at more; 0: they look at each, and at each that ends. */
  setWindow(connection: number, calls: number): void {
    this.#peers[connection * PEER_WORDS + PeerWord.window] = calls;
  }

  /** Enters a call, before its frame is sent. Returns its ticket, or 0 when the table is full. */
  enter(
    caller: number,
    call: number,
    executor: number,
    fn: number,
    deadlineTick: number,
    flags: number,
  ): Ticket {
    const ticket = this.#slots.take();
    if (ticket === 0) return 0;
    const slot = ticket & INDEX_MASK;
    const words = this.words;
    const at = slot * CALL_WORDS;
    words[at] = caller;
    words[at + 1] = call;
    words[at + 2] = executor;
    words[at + 3] = fn;
    words[at + 4] = deadlineTick;
    words[at + 5] = flags;
    this.#doubles[slot * CALL_DOUBLES + OPENED_DOUBLE] = this.turnMs[0]!;
    this.#link(slot, this.#peers, executor * PEER_WORDS + PeerWord.executes, CallWord.executorPrevious);
    this.#link(slot, this.#peers, caller * PEER_WORDS + PeerWord.calls, CallWord.callerPrevious);
    this.#link(slot, this.#wheel, deadlineTick & (WHEEL_SIZE - 1), CallWord.wheelPrevious);
    this.#peers[executor * PEER_WORDS + PeerWord.executing]!++;
    this.#peers[caller * PEER_WORDS + PeerWord.calling]!++;
    this.opened++;
    return ticket;
  }

  /** Hands a call that waited under the engine to the connection that executes it, with the deadline it has then. */
  assign(slot: number, executor: number, deadlineTick: number): void {
    const words = this.words;
    const at = slot * CALL_WORDS;
    const former = words[at + CallWord.executor]! * PEER_WORDS;
    const next = executor * PEER_WORDS;
    this.#unlink(slot, this.#peers, former + PeerWord.executes, CallWord.executorPrevious);
    this.#unlink(
      slot,
      this.#wheel,
      words[at + CallWord.deadline]! & (WHEEL_SIZE - 1),
      CallWord.wheelPrevious,
    );
    words[at + CallWord.executor] = executor;
    words[at + CallWord.deadline] = deadlineTick;
    this.#link(slot, this.#peers, next + PeerWord.executes, CallWord.executorPrevious);
    this.#link(slot, this.#wheel, deadlineTick & (WHEEL_SIZE - 1), CallWord.wheelPrevious);
    this.#peers[former + PeerWord.executing]!--;
    this.#peers[next + PeerWord.executing]!++;
  }

  /** Whether a ticket's call is open, whoever executes it. */
  isOpen(ticket: Ticket): boolean {
    return this.#slots.indexOf(ticket) !== 0;
  }

  /** The slot of a ticket given to this executor, or 0: stale, never given, or given to another. */
  slotOf(ticket: Ticket, executor: number): number {
    const slot = this.#slots.indexOf(ticket);
    if (slot === 0 || this.words[slot * CALL_WORDS + CallWord.executor] !== executor) return 0;
    return slot;
  }

  /** The ticket of an open slot. */
  ticketOf(slot: number): Ticket {
    return this.#slots.handleOf(slot);
  }

  /** Ends a call: it leaves every list, and its ticket is void from here on. */
  leave(slot: number): void {
    const words = this.words;
    const at = slot * CALL_WORDS;
    const caller = words[at]! * PEER_WORDS;
    const executor = words[at + 2]! * PEER_WORDS;
    this.#unlink(slot, this.#peers, executor + PeerWord.executes, CallWord.executorPrevious);
    this.#unlink(slot, this.#peers, caller + PeerWord.calls, CallWord.callerPrevious);
    this.#unlink(slot, this.#wheel, words[at + 4]! & (WHEEL_SIZE - 1), CallWord.wheelPrevious);
    this.#peers[executor + PeerWord.executing]!--;
    this.#peers[executor + PeerWord.executed]!++;
    this.#peers[caller + PeerWord.calling]!--;
    this.#slots.free(slot);
    this.ended++;
    if (this.#peers[executor + PeerWord.window] === 0) this.#ended(words[at + 2]!, words[at + 3]!);
  }

  /** Calls `expire(slot)` for every call of this wheel position whose deadline is not after `tick`. `expire` ends that call and no other. */
  expireAt(tick: number, expire: (slot: number) => void): void {
    let slot = this.#wheel[tick & (WHEEL_SIZE - 1)]!;
    while (slot !== 0) {
      const at = slot * CALL_WORDS;
      const next = this.words[at + CallWord.wheelNext]!;
      if (((this.words[at + CallWord.deadline]! - tick) | 0) <= 0) expire(slot); // ticks wrap with int32
      slot = next;
    }
  }

  /** Throws when the counters and the lists do not agree. For tests and for the end of a connection. */
  checkEmpty(connection: number): void {
    const at = connection * PEER_WORDS;
    const empty = this.#peers[at] === 0 && this.#peers[at + 1] === 0;
    assert(
      empty && this.#peers[at + 2] === 0 && this.#peers[at + 3] === 0,
      `connection ${connection} left no call behind`,
    );
  }

  /** Puts `slot` first in the list whose head is `heads[head]`; `link` is the word of its previous, the next one follows. */
  #link(slot: number, heads: Int32Array, head: number, link: number): void {
    const words = this.words;
    const at = slot * CALL_WORDS + link;
    const first = heads[head]!;
    words[at] = 0;
    words[at + 1] = first;
    if (first !== 0) words[first * CALL_WORDS + link] = slot;
    heads[head] = slot;
  }

  #unlink(slot: number, heads: Int32Array, head: number, link: number): void {
    const words = this.words;
    const at = slot * CALL_WORDS + link;
    const previous = words[at]!;
    const next = words[at + 1]!;
    if (previous === 0) heads[head] = next;
    else words[previous * CALL_WORDS + link + 1] = next;
    if (next !== 0) words[next * CALL_WORDS + link] = previous;
  }
}
