// The memory that the engine may use in all: near it new work is refused and what is under way completes; at it, whoever reads least loses its connection.
//
// Two figures: what waits in the engine is counted exactly and looked at in every turn; the resident memory of the process is sampled, and whatever of it does not
// wait (tables, code, garbage, what an allocator keeps) lessens the room for what may. At least an eighth of the ceiling is always left to work with.

import { totalmem } from "node:os";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { Limits } from "../protocol/limits.js";
import type { Calls } from "../router/calls.js";
import type { Server } from "../transport/server.js";
import { residentBytes } from "./resident-memory.js";

/** How often the resident memory is looked at, in milliseconds: reading it costs some microseconds. */
const SAMPLE_MS = 250;
/** From this share of the ceiling on new work is refused; the rest is for answers to what is under way. */
const REFUSE_SHARE = 0.7;
/** From this share on whoever has most waiting is cut. The rest is for buffers that grow: the old one and the new one are both there for a moment. */
const CUT_SHARE = 0.8;
/** The least share of the ceiling that may wait, however large the rest of the process is. */
const WORK_SHARE_MIN = 1 / 8;
/** New work is taken again when so much of the room is free. */
const ENOUGH_SHARE = 0.75;
/** In the middle of a turn it is looked again after so many bytes. */
const ALARM_STEP_BYTES = 1 << 20;
/** What a waiting call costs beside its frame, in bytes. */
const QUEUED_CALL_BYTES = 512;
/** Unless configured: of what the machine, or the container, has. */
const MACHINE_SHARE = 0.75;

/** The ceiling in force, in bytes: 0 stands for three quarters of the machine or the container. */
export function ceilingBytes({ memoryBytesMax }: Limits): number {
  if (memoryBytesMax !== 0) return memoryBytesMax;
  const constrained = process.constrainedMemory();
  const machine = totalmem();
  return Math.floor(MACHINE_SHARE * (constrained > 0 ? Math.min(constrained, machine) : machine));
}

export interface MemoryParts {
  server: Server;
  calls: Calls;
  channels: { readonly queuedBytes: number };
  clock: Clock;
  log: Logger;
  /** Resident memory of the process, in bytes. */
  residentBytes?: () => number;
}

export class MemoryCeiling {
  readonly bytes: number;
  /** New work is refused. */
  isNear = false;
  readonly #parts: MemoryParts;
  readonly #residentBytes: () => number;
  /** What may wait before new work is refused. */
  #roomBytes = 0;
  readonly #stop: () => void;

  constructor(limits: Limits, parts: MemoryParts) {
    this.bytes = ceilingBytes(limits);
    this.#parts = parts;
    this.#residentBytes = parts.residentBytes ?? residentBytes;
    this.sample();
    const { outboxes } = parts.server;
    outboxes.alarm = () => this.#alarmed();
    outboxes.attach(() => {
      outboxes.alarmBytes = this.#roomBytes;
      this.look();
    });
    this.#stop = parts.clock.every(SAMPLE_MS, () => this.sample());
  }

  /** Bytes that wait in the engine: for sockets, for busy workers, in channels, for a decision about their connection. */
  get waitingBytes(): number {
    const { server, calls, channels } = this.#parts;
    const queued = calls.queues.bytes + calls.queues.length * QUEUED_CALL_BYTES;
    return server.outboxes.bufferedBytes + queued + channels.queuedBytes + server.waiting.bytes;
  }

  /** Looks at the resident memory, and at what waits. */
  sample(): void {
    const restBytes = Math.max(0, this.#residentBytes() - this.waitingBytes);
    this.#roomBytes = Math.max(WORK_SHARE_MIN * this.bytes, REFUSE_SHARE * this.bytes - restBytes);
    this.#parts.server.outboxes.alarmBytes = this.#roomBytes;
    this.look();
  }

  /** Looks at what waits. */
  look(): void {
    const waiting = this.waitingBytes;
    this.#judge(waiting);
    if (this.isNear) this.#cutLargest(waiting - this.#roomBytes - (CUT_SHARE - REFUSE_SHARE) * this.bytes);
  }

  /** Sockets hold back more than may wait, in the middle of a turn, in which far more can come. */
  #alarmed(): void {
    const { outboxes } = this.#parts.server;
    outboxes.schedule(); // large frames are sent without waiting for the end of the turn, so nobody else sees to it that it is noticed
    outboxes.alarmBytes = outboxes.bufferedBytes + ALARM_STEP_BYTES;
    this.look();
  }

  #judge(waiting: number): void {
    if (!this.isNear && waiting > this.#roomBytes) this.#turn(true, waiting);
    else if (this.isNear && waiting < ENOUGH_SHARE * this.#roomBytes) this.#turn(false, waiting);
  }

  close(): void {
    this.#stop();
  }

  #turn(isNear: boolean, waitingBytes: number): void {
    this.isNear = isNear;
    const { calls, server, log } = this.#parts;
    calls.isMemoryNear = isNear;
    server.isMemoryNear = isNear;
    log.warn(
      { waitingBytes, roomBytes: Math.round(this.#roomBytes), ceilingBytes: this.bytes },
      isNear
        ? "near the memory ceiling: new work is refused"
        : "below the memory ceiling: work is taken again",
    );
  }

  /** Whoever has most waiting in its socket goes, and the next one, until so many bytes are free. */
  #cutLargest(excessBytes: number): void {
    if (excessBytes <= 0) return;
    const outboxes = this.#parts.server.connections.flatMap((one) => (one === undefined ? [] : [one.outbox]));
    const bySize = outboxes.filter(({ buffered }) => buffered > 0).sort((a, b) => b.buffered - a.buffered);
    let excess = excessBytes;
    for (const outbox of bySize) {
      if (excess <= 0) return;
      excess -= outbox.buffered;
      outbox.overrun();
    }
  }
}
