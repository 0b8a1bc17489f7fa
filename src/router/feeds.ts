// The registry's changes to msgpack watchers: records 32 to 35 of PROTOCOL.md.
//
// A feed is a filter that somebody watches; all who watch with the same filter share it. At the end of a turn in which something changed, what passes
// the filter is encoded once and published by uWebSockets, however many watch. A change is told as the state it led to, so hearing it twice does no harm.
// Sessions have feeds of their own (session-feed.ts), of what they may see.

import { randomUUID } from "node:crypto";
import type { Clock } from "../clock.js";
import { Metric, type Metrics } from "../metrics.js";
import { ErrorCode } from "../protocol/error.js";
import { FEED_RECORD_CHANGES_MAX, WATCHES_PER_CONNECTION_MAX } from "../protocol/limits.js";
import { type Cursor, ElementError } from "../protocol/msgpack/cursor.js";
import { pack, unpack } from "../protocol/msgpack/general.js";
import { Kind } from "../protocol/msgpack/records.js";
import { type Change, ChangeLog } from "../registry/change-log.js";
import type { FunctionChange, Functions } from "../registry/functions.js";
import type { Worker, Workers } from "../registry/workers.js";
import type { Connection } from "../transport/connection.js";
import type { Server } from "../transport/server.js";
import type { WorkerObserver } from "./departures.js";
import type { RegistryView } from "./registry-view.js";
import { elementOf, type Filter, passes, SessionFeed } from "./session-feed.js";

export interface FeedsOptions {
  clock: Clock;
  server: Server;
  workers: Workers;
  metrics: Metrics;
}

interface Feed {
  number: number;
  filter: Filter;
  watchers: number;
  /** Number of the last change told. */
  revision: number;
}

/** A change as it is told, and its number. */
interface Told {
  element: readonly unknown[];
  revision: number;
}

export class Feeds implements WorkerObserver {
  readonly #o: FeedsOptions;
  readonly #log = new ChangeLog();
  readonly #epoch = randomUUID();
  readonly #feeds = new Map<string, Feed>();
  readonly #byNumber = new Map<number, Feed>();
  readonly #watched = new Map<number, Set<Feed>>();
  /** Of connections with a session: by connection, then by filter. */
  readonly #ofSessions = new Map<number, Map<string, SessionFeed>>();
  #view: RegistryView | null = null;
  #functions: Functions | null = null;
  #number = 0;
  #told = 0;
  #isTimed = false;

  constructor(options: FeedsOptions) {
    this.#o = options;
  }

  attach(view: RegistryView, functions: Functions): void {
    this.#view = view;
    this.#functions = functions;
  }

  // What changes

  functionChanged(fn: number, _change: FunctionChange): void {
    if (this.#log.isStarted && this.#view !== null) this.#note(this.#view.function(fn));
  }

  typeChanged(namespace: string, id: string): void {
    if (this.#log.isStarted)
      this.#note({ what: "trigger_type", keyNamespace: namespace, id, namespace, text: id });
  }

  triggerChanged(trigger: number): void {
    if (this.#log.isStarted && this.#view !== null) this.#note(this.#view.trigger(trigger));
  }

  connected(worker: Worker): void {
    if (this.#log.isStarted && this.#view !== null) this.#note(this.#view.worker(worker));
  }

  /** Its name stands in the rows of its functions, too. */
  metadataUpdated(worker: Worker): void {
    this.connected(worker);
    if (this.#log.isStarted)
      this.#functions?.eachOf(worker.connection.index, (fn) => this.#note(this.#view?.function(fn)));
  }

  disconnected(worker: Worker): void {
    this.connected(worker);
  }

  #note(change: Change | undefined): void {
    if (change === undefined) return;
    const { what, keyNamespace, id, namespace, text } = change;
    this.#log.note({ what, keyNamespace, id, namespace, text });
    if (this.#isTimed || (this.#feeds.size === 0 && this.#ofSessions.size === 0)) return;
    this.#isTimed = true;
    this.#o.clock.after(0, this.#publish);
  }

  // What is told

  readonly #publish = (): void => {
    this.#isTimed = false;
    if (!this.#log.reaches(this.#told)) return this.#startOver();
    const changes = this.#log.since(this.#told);
    this.#told = this.#log.revision;
    this.#o.server.outboxes.flush(); // what was said before goes first
    for (const feed of this.#feeds.values())
      this.#publishTo(feed, this.#changesFor(feed.filter, changes.values()));
    for (const [connection, feeds] of this.#ofSessions)
      for (const feed of feeds.values()) this.#tellSession(connection, feed, changes.values());
  };

  #tellSession(connection: number, feed: SessionFeed, changes: Iterable<{ change: Change }>): void {
    const to = this.#o.server.connections[connection];
    const from = feed.revision;
    const told = feed.changes(Array.from(changes, ({ change }) => change));
    if (to === undefined || told.length === 0) return;
    send(to, [Kind.Changes, feed.number, from, feed.revision, told]);
    this.#o.metrics.add(Metric.feed_records);
  }

  /** More changed in one turn than is kept: watchers are shown a gap, and watch again. */
  #startOver(): void {
    this.#told = this.#log.revision;
    for (const feed of this.#feeds.values()) {
      feed.revision = this.#told;
      const record = pack([Kind.Changes, feed.number, feed.revision, feed.revision, []]);
      this.#o.server.publish(topicOf(feed), record, feed.watchers);
    }
    for (const [connection, feeds] of this.#ofSessions) {
      const to = this.#o.server.connections[connection];
      for (const feed of feeds.values()) {
        const missed = feed.revision + 1; // a record that was never sent
        if (to !== undefined) send(to, [Kind.Changes, feed.number, missed, missed, []]);
      }
    }
  }

  #publishTo(feed: Feed, told: readonly Told[]): void {
    for (const part of partsOf(told)) {
      const revision = part.at(-1)?.revision ?? feed.revision;
      const elements = part.map(({ element }) => element);
      const record = pack([Kind.Changes, feed.number, feed.revision, revision, elements]);
      this.#o.server.publish(topicOf(feed), record, feed.watchers);
      this.#o.metrics.add(Metric.feed_records);
      feed.revision = revision;
    }
  }

  /** What a filter lets through: of things that passed it when they changed, or pass it now. */
  #changesFor(filter: Filter, changes: Iterable<{ change: Change; revision: number }>): Told[] {
    const told: Told[] = [];
    for (const { change, revision } of changes) {
      const now = this.#view?.now(change);
      const isIn = now !== undefined && passes(now, filter);
      if (isIn || passes(change, filter))
        told.push({ element: elementOf(change, isIn ? now : undefined), revision });
    }
    return told;
  }

  // Who watches

  /** Carries out a record about feeds. False when it is of another kind. Throws ElementError. */
  record(from: Connection, kind: number, cursor: Cursor): boolean {
    if (kind === Kind.Watch) this.#watch(from, cursor);
    else if (kind === Kind.Unwatch) this.#unwatch(from, cursor);
    else return false;
    return true;
  }

  closed(connection: Connection): void {
    for (const feed of this.#watched.get(connection.index) ?? []) this.#leave(feed);
    this.#watched.delete(connection.index);
    this.#ofSessions.delete(connection.index);
  }

  #watch(from: Connection, cursor: Cursor): void {
    const request = cursor.uint("request");
    const { filter, epoch, revision } = readWatch(cursor);
    this.#log.start();
    const viewer = this.#o.workers.of(from.index);
    if (viewer !== undefined && viewer.session !== null)
      return this.#watchForSession(from, viewer, request, filter);
    const watched = this.#watched.get(from.index) ?? new Set();
    const feed = this.#enter(filter);
    if (!watched.has(feed) && watched.size >= WATCHES_PER_CONNECTION_MAX) {
      if (feed.watchers === 0) this.#drop(feed);
      return this.#refuse(from, request);
    }
    if (!watched.has(feed)) {
      feed.watchers++;
      from.subscribe(topicOf(feed));
    }
    this.#watched.set(from.index, watched.add(feed));
    const canResume = epoch === this.#epoch && revision !== null && this.#log.reaches(revision);
    this.#answer(from, request, feed, canResume ? revision : null);
  }

  #watchForSession(from: Connection, viewer: Worker, request: number, filter: Filter): void {
    const feeds = this.#ofSessions.get(from.index) ?? new Map<string, SessionFeed>();
    const feed = feeds.get(keyOf(filter)) ?? this.#sessionFeed(viewer, filter);
    if (feed === undefined) return;
    if (feeds.size >= WATCHES_PER_CONNECTION_MAX && !feeds.has(keyOf(filter)))
      return this.#refuse(from, request);
    this.#startTelling();
    this.#ofSessions.set(from.index, feeds.set(keyOf(filter), feed));
    const parts = partsOf(feed.whole());
    if (parts.length === 0) parts.push([]);
    for (const [at, elements] of parts.entries())
      send(from, [Kind.Watching, request, feed.number, feed.epoch, feed.revision, at === 0, elements]);
  }

  #sessionFeed(viewer: Worker, filter: Filter): SessionFeed | undefined {
    return this.#view === null ? undefined : new SessionFeed(++this.#number, filter, viewer, this.#view);
  }

  #unwatchForSession(connection: number, number: number): void {
    const feeds = this.#ofSessions.get(connection);
    for (const [key, feed] of feeds ?? []) if (feed.number === number) feeds?.delete(key);
    if (feeds?.size === 0) this.#ofSessions.delete(connection);
  }

  #refuse(to: Connection, request: number): void {
    const message = `One connection watches at most ${WATCHES_PER_CONNECTION_MAX} feeds`;
    send(to, [Kind.Refused, request, ErrorCode.LimitReached, message]);
  }

  /** All there is, or (`since` not null) what changed since. */
  #answer(to: Connection, request: number, feed: Feed, since: number | null): void {
    const told =
      since === null
        ? this.#whole(feed.filter)
        : this.#changesFor(feed.filter, this.#log.since(since).values());
    const parts = partsOf(told);
    if (parts.length === 0) parts.push([]);
    for (const [at, part] of parts.entries()) {
      const isWhole = since === null && at === 0;
      const elements = part.map(({ element }) => element);
      send(to, [Kind.Watching, request, feed.number, this.#epoch, this.#log.revision, isWhole, elements]);
    }
  }

  #whole(filter: Filter): Told[] {
    const present = this.#view?.all().filter((one) => passes(one, filter)) ?? [];
    return present.map((one) => ({ element: elementOf(one, one), revision: 0 }));
  }

  #unwatch(from: Connection, cursor: Cursor): void {
    cursor.uint("request");
    const number = cursor.uint("feed");
    this.#unwatchForSession(from.index, number);
    const feed = this.#byNumber.get(number);
    if (feed === undefined || this.#watched.get(from.index)?.delete(feed) !== true) return;
    from.unsubscribe(topicOf(feed));
    this.#leave(feed);
  }

  #enter(filter: Filter): Feed {
    const key = keyOf(filter);
    const known = this.#feeds.get(key);
    if (known !== undefined) return known;
    this.#startTelling();
    const feed = { number: ++this.#number, filter, watchers: 0, revision: this.#told };
    this.#feeds.set(key, feed);
    this.#byNumber.set(feed.number, feed);
    return feed;
  }

  /** Nobody was told until now: what changed meanwhile is nobody's. */
  #startTelling(): void {
    const isFirst = this.#feeds.size === 0 && this.#ofSessions.size === 0 && !this.#isTimed;
    if (isFirst) this.#told = this.#log.revision;
  }

  #leave(feed: Feed): void {
    if (--feed.watchers === 0) this.#drop(feed);
  }

  #drop(feed: Feed): void {
    this.#feeds.delete(keyOf(feed.filter));
    this.#byNumber.delete(feed.number);
  }
}

function keyOf({ namespace, prefix }: Filter): string {
  return JSON.stringify([namespace, prefix]);
}

function topicOf(feed: Feed): string {
  return `feed/${feed.number}`;
}

function partsOf<One>(told: readonly One[]): (readonly One[])[] {
  const parts: (readonly One[])[] = [];
  for (let at = 0; at < told.length; at += FEED_RECORD_CHANGES_MAX)
    parts.push(told.slice(at, at + FEED_RECORD_CHANGES_MAX));
  return parts;
}

interface WatchRequest {
  filter: Filter;
  epoch: string | null;
  revision: number | null;
}

function readWatch(cursor: Cursor): WatchRequest {
  if (cursor.nil()) return { filter: { namespace: null, prefix: null }, epoch: null, revision: null };
  if (!cursor.isMap()) throw new ElementError("filter must be a map or nil");
  cursor.raw();
  const map = readMap(cursor.bytes.subarray(cursor.start, cursor.end));
  const { revision } = map;
  if (revision !== undefined && revision !== null && !(Number.isInteger(revision) && Number(revision) >= 0))
    throw new ElementError("filter.revision must be an unsigned integer");
  return {
    filter: { namespace: optionalText(map, "namespace"), prefix: optionalText(map, "prefix") },
    epoch: optionalText(map, "epoch"),
    revision: typeof revision === "number" ? revision : null,
  };
}

function readMap(bytes: Uint8Array): Record<string, unknown> {
  try {
    // The cursor has seen that it is a map; msgpackr makes an object of it.
    return unpack(bytes) as Record<string, unknown>;
  } catch (cause) {
    throw new ElementError(
      `filter cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  }
}

function optionalText(map: Record<string, unknown>, key: string): string | null {
  const value = map[key] ?? null;
  if (value !== null && typeof value !== "string")
    throw new ElementError(`filter.${key} must be a str or nil`);
  return value;
}

function send(to: Connection, record: readonly unknown[]): void {
  const bytes = pack(record);
  to.outbox.append(bytes, 0, bytes.length);
}
