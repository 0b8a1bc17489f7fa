// One declared process: it is started, awaited, watched, stopped and started again, by one loop that reads from top to bottom.
//
// Whatever wants something of it (an operator, a reload, a failed probe) leaves a wish and wakes the loop; nothing
// else changes its state. Who comes before whom is the fleet's business.
import { randomUUID } from "node:crypto";
import type { WorkerSpec } from "../config/entries.js";
import { Child, LaunchError } from "./child.js";
import { Deferred, pause } from "./deferred.js";
import type { EnginePort, RegistrationChange } from "./engine-port.js";
import { markOf } from "./leftovers.js";
import { isMarked, lookUp } from "./process-table.js";
import { probeUntilReady } from "./readiness.js";
import { type OutputLine, RecentLines, type StreamName } from "./recent-lines.js";
import { describeEnding, RestartPolicy, type Verdict } from "./restart-policy.js";
import { type Exit, hasProcess, type Transition, type UnitState, type UnitStatus } from "./transition.js";

/** What a unit is given by the process it lives in. */
export interface UnitWorld {
  /** Unique for one start of the engine. */
  readonly run: string;
  /** The variables every process gets: where the engine is. */
  readonly env: Readonly<Record<string, string>>;
  /** Where `inherit_env` takes its values. */
  readonly inherited: Readonly<Record<string, string | undefined>>;
  readonly engine: Pick<EnginePort, "drain" | "call">;
  onTransition(transition: Transition, unit: Unit): void;
  onLine(unit: Unit, line: OutputLine): void;
}

type Wish =
  | { readonly kind: "stop"; readonly reason: string }
  | {
      readonly kind: "restart";
      readonly reason: string /** counts as an ending of its own */;
      readonly isFailure: boolean;
    };

type RunEnd =
  | { readonly kind: "wish"; readonly wish: Wish }
  | { readonly kind: "exit"; readonly exit: Exit; readonly uptimeMs: number; readonly reason: string }
  | { readonly kind: "unstartable"; readonly reason: string };

export interface StopReport {
  readonly name: string;
  readonly wasKilled: boolean;
  readonly callsLeft: number;
}

const LAST_LINES = 20;
let launches = 0;

export class Unit {
  readonly name: string;
  #spec: WorkerSpec;
  readonly #world: UnitWorld;
  readonly #policy: RestartPolicy;
  readonly #lines: RecentLines;
  #state: UnitState = "stopped";
  #sinceMs = Date.now();
  #reason: string | undefined;
  #child: Child | undefined;
  #mark = "";
  #readyMs: number | undefined;
  #lastExit: Exit | undefined;
  #nextStartMs: number | undefined;
  #starts = 0;
  #memoryBytes: number | undefined;
  #wish: Wish | undefined;
  #woken = new Deferred<void>();
  #life: Promise<void> | undefined;
  #hurry = new AbortController();
  #registered = new Set<string>();
  #onSign: (() => void) | undefined;
  #absence: NodeJS.Timeout | undefined;
  #lastStop: Omit<StopReport, "name"> = { wasKilled: false, callsLeft: 0 };

  constructor(name: string, spec: WorkerSpec, world: UnitWorld) {
    this.name = name;
    this.#spec = spec;
    this.#world = world;
    this.#policy = new RestartPolicy(spec.restart);
    this.#lines = new RecentLines(spec.log.lines);
  }

  get spec(): WorkerSpec {
    return this.#spec;
  }

  get state(): UnitState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Its connections to the engine. */
  get workerIds(): readonly string[] {
    return [...this.#registered];
  }

  get child(): Child | undefined {
    return this.#child;
  }

  get lines(): RecentLines {
    return this.#lines;
  }

  /** Takes over what may change without a new process. */
  update(spec: WorkerSpec): void {
    this.#spec = spec;
    this.#policy.rules = spec.restart;
    this.#lines.resize(spec.log.lines);
  }

  /** Waits for others: shown, not acted upon. */
  wait(reason: string): void {
    if (this.#life === undefined) this.#enter("waiting", { reason });
  }

  /** Says why a process that was never started here is stopped: it was before, under another supervisor. */
  hold(reason: string): void {
    if (this.#state === "stopped") this.#reason = reason;
  }

  /** Starts it unless it runs; in a pause between two starts, the pause is over. `isFresh` forgets earlier failures. */
  start(isFresh = false): void {
    if (isFresh) this.#policy.reset();
    if (this.#life === undefined) {
      this.#life = this.#live().finally(() => {
        this.#life = undefined;
      });
    } else if (this.#state === "backoff" || this.#state === "crash_loop") this.#woken.resolve();
  }

  /** Drains, signals, waits, kills; settles when no process of it is left. */
  async stop(reason: string): Promise<StopReport> {
    this.#lastStop = { wasKilled: false, callsLeft: 0 };
    if (this.#life === undefined) {
      if (this.#state === "waiting" || this.#state === "failed" || this.#state === "completed")
        this.#enter("stopped", { reason });
    } else {
      this.#ask({ kind: "stop", reason });
      await this.#life;
    }
    return { name: this.name, ...this.#lastStop };
  }

  /** Stops the process gracefully and starts another one. A failure counts towards back-off and crash loop. */
  restart(reason: string, isFailure = false): void {
    if (this.#life === undefined) this.start(!isFailure);
    else this.#ask({ kind: "restart", reason, isFailure });
  }

  /** Ends every waiting of a stop that is under way: SIGKILL now. */
  killNow(): void {
    this.#hurry.abort();
  }

  /** A worker came or went somewhere: ours is known by the name it was given, or by its process. */
  onRegistration({ kind, registration }: RegistrationChange): void {
    if (kind === "left") {
      if (this.#registered.delete(registration.workerId) && this.#registered.size === 0)
        this.#connectionLost();
      return;
    }
    const { name, namespace, pid, isLocal } = registration;
    const isNamed = name === this.name && namespace === (this.#spec.namespace ?? "default");
    if (this.#child === undefined || !(isNamed || (isLocal && pid !== undefined && this.#owns(pid)))) return;
    this.#registered.add(registration.workerId);
    if (this.#spec.ready.until === "registered") this.#onSign?.();
    if (this.#state === "unready") this.#enter("ready", { reason: "reconnected" });
  }

  setMemory(bytes: number): void {
    this.#memoryBytes = bytes;
    const bound = this.#spec.limits.memory_bytes;
    if (bound === undefined || bytes <= bound || this.#wish !== undefined) return;
    if (this.#state === "ready" || this.#state === "unready")
      this.restart(`memory: ${bytes} bytes, limit ${bound}`, true);
  }

  status(): UnitStatus {
    return {
      name: this.name,
      worker: this.#spec.name,
      namespace: this.#spec.namespace ?? "default",
      state: this.#state,
      sinceMs: this.#sinceMs,
      pid: this.pid,
      restarts: Math.max(0, this.#starts - 1),
      restartsInWindow: this.#policy.restartsInWindow(Date.now()),
      lastExit: this.#lastExit,
      nextStartMs: this.#nextStartMs,
      reason: this.#reason,
      memoryBytes: this.#child === undefined ? undefined : this.#memoryBytes,
      isRegistered: this.#registered.size > 0,
    };
  }

  #ask(wish: Wish): void {
    if (this.#wish?.kind === "stop") return; // a stop is not undone by a restart that was decided without knowing
    this.#wish = wish;
    this.#woken.resolve();
  }

  #takeWish(): Wish | undefined {
    const wish = this.#wish;
    this.#wish = undefined;
    this.#woken = new Deferred();
    return wish;
  }

  async #live(): Promise<void> {
    this.#hurry = new AbortController();
    for (;;) {
      const end = await this.#run();
      const wish = end.kind === "wish" ? end.wish : this.#takeWish();
      if (wish?.kind === "stop") return this.#enter("stopped", { reason: wish.reason });
      if (wish !== undefined && !wish.isFailure) continue;
      if (end.kind === "unstartable") return this.#enter("failed", { reason: end.reason });
      if (!(await this.#between(end, wish?.reason))) return;
    }
  }

  /** After an ending: false when there is nothing more to do, true when it is time for the next start. */
  async #between(
    end: Exclude<RunEnd, { kind: "unstartable" }>,
    wishReason: string | undefined,
  ): Promise<boolean> {
    const ending =
      end.kind === "exit"
        ? { ...end.exit, uptimeMs: end.uptimeMs }
        : { code: null, signal: null, uptimeMs: this.#uptimeMs() };
    const reason = wishReason ?? (end.kind === "exit" ? end.reason : "");
    const verdict = this.#policy.after(ending, Date.now());
    this.#tellVerdict(verdict, reason, end.kind === "exit" ? end.exit : undefined);
    if (verdict.kind === "completed" || verdict.kind === "failed") return false;
    return this.#pauseBefore(verdict.delayMs);
  }

  #tellVerdict(verdict: Verdict, reason: string, exit: Exit | undefined): void {
    const lastLines = this.#lines.read(LAST_LINES).map(({ text }) => text);
    const because =
      verdict.kind === "failed" ? `${reason}${reason === "" ? "" : "; "}${verdict.reason}` : reason;
    const delayMs = "delayMs" in verdict ? verdict.delayMs : undefined;
    this.#nextStartMs = delayMs === undefined ? undefined : Date.now() + delayMs;
    this.#enter(verdict.kind, { reason: because, lastLines, ...(exit === undefined ? {} : { exit }) });
  }

  async #pauseBefore(delayMs: number | undefined): Promise<boolean> {
    const cut = new AbortController();
    await Promise.race([
      delayMs === undefined ? new Promise(() => {}) : pause(delayMs, cut.signal),
      this.#woken.promise,
    ]);
    cut.abort();
    this.#nextStartMs = undefined;
    const wish = this.#takeWish();
    if (wish?.kind === "stop") this.#enter("stopped", { reason: wish.reason });
    return wish?.kind !== "stop";
  }

  /** From the start of a process to its end. */
  async #run(): Promise<RunEnd> {
    this.#readyMs = undefined;
    this.#registered.clear();
    this.#starts++;
    const child = await this.#launch();
    if (typeof child === "string") return { kind: "unstartable", reason: child };
    const over = new AbortController();
    const first = await this.#awaitReady(child, over.signal);
    if (first === "ready") {
      this.#readyMs = Date.now();
      this.#enter("ready", {});
      if (this.#registered.size === 0) this.#connectionLost(); // it may have come and gone within one turn
      this.#watchLife(over.signal);
      await Promise.race([child.exited, this.#woken.promise]);
    }
    over.abort();
    clearTimeout(this.#absence);
    return this.#finish(child, first === "late");
  }

  async #launch(): Promise<Child | string> {
    const { command, cwd } = this.#spec;
    this.#mark = markOf(this.#world.run, ++launches);
    try {
      const launch = { command, cwd, env: this.#environment(), mark: this.#mark };
      const child = await Child.start(launch, (stream, text, droppedBytes) =>
        this.#output(stream, text, droppedBytes),
      );
      this.#child = child;
      this.#enter("starting", {});
      return child;
    } catch (error) {
      if (!(error instanceof LaunchError)) throw error;
      return error.message;
    }
  }

  #environment(): Record<string, string> {
    const env: Record<string, string> = {};
    for (const name of this.#spec.inherit_env) {
      const value = this.#world.inherited[name];
      if (value !== undefined) env[name] = value;
    }
    const [markName = "", markValue = ""] = this.#mark.split("=");
    const namespace = this.#spec.namespace === undefined ? {} : { III_NAMESPACE: this.#spec.namespace };
    return {
      ...env,
      ...this.#spec.env,
      ...this.#world.env,
      ...namespace,
      III_WORKER_NAME: this.name,
      [markName]: markValue,
    };
  }

  async #awaitReady(child: Child, over: AbortSignal): Promise<"ready" | "late" | "over"> {
    const { ready, namespace } = this.#spec;
    if (ready.until === "started") return "ready";
    const sign = new Deferred<void>();
    this.#onSign = () => sign.resolve();
    const call = (id: string, timeoutMs: number): Promise<unknown> =>
      this.#world.engine.call(id, {}, timeoutMs, namespace);
    const settled = new AbortController();
    const first = await Promise.race([
      sign.promise.then(() => "ready" as const),
      probeUntilReady(ready, call, settled.signal).then(() => "ready" as const),
      pause(ready.timeout_ms, settled.signal).then(() => "late" as const),
      child.exited.then(() => "over" as const),
      this.#woken.promise.then(() => "over" as const),
    ]);
    settled.abort();
    this.#onSign = undefined;
    return over.aborted ? "over" : first;
  }

  /** While it is ready: stability, and the probe that sees whether it lives. */
  #watchLife(over: AbortSignal): void {
    void pause(this.#spec.restart.stable_after_ms, over).then(() => {
      if (!over.aborted) this.#policy.stable();
    });
    if (this.#spec.liveness.call !== undefined) void this.#probeLife(over);
  }

  async #probeLife(over: AbortSignal): Promise<void> {
    for (let failures = 0; ; ) {
      const { call, every_ms, timeout_ms, failures: failuresMax } = this.#spec.liveness;
      await pause(every_ms, over);
      if (over.aborted || call === undefined) return;
      const trouble = await this.#world.engine.call(call, {}, timeout_ms, this.#spec.namespace).then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      failures = trouble === undefined ? 0 : failures + 1;
      if (over.aborted) return;
      if (failures >= failuresMax)
        return this.restart(`liveness: ${call} failed ${failures} times: ${trouble}`, true);
    }
  }

  /** The process has ended, or has to: drain, terminate, sweep. */
  async #finish(child: Child, isLate: boolean): Promise<RunEnd> {
    const uptimeMs = this.#uptimeMs();
    const wish = this.#takeWish();
    const hasEnded = await Promise.race([child.exited.then(() => true), Promise.resolve(false)]);
    if (wish === undefined && !isLate) return this.#afterExit(child, uptimeMs);
    const reason = wish?.reason ?? `not ready within ${this.#spec.ready.timeout_ms} ms (${this.#awaited()})`;
    this.#enter("stopping", { reason });
    const callsLeft = this.#readyMs === undefined || hasEnded ? 0 : await this.#drain();
    const wasKilled = await child.terminate(this.#spec.stop, this.#hurry.signal);
    this.#lastStop = { wasKilled, callsLeft };
    this.#lastExit = await child.exited;
    this.#child = undefined;
    if (wish !== undefined) return { kind: "wish", wish };
    const exit = { ...this.#lastExit, code: null }; // a start that was cut off is a failure, however politely it ended
    return { kind: "exit", exit, uptimeMs: 0, reason };
  }

  async #afterExit(child: Child, uptimeMs: number): Promise<RunEnd> {
    const exit = await child.exited;
    await child.sweep(this.#spec.stop.grace_ms, this.#hurry.signal);
    this.#lastExit = exit;
    this.#child = undefined;
    const early = this.#readyMs === undefined ? " before it was ready" : "";
    return { kind: "exit", exit, uptimeMs, reason: `ended with ${describeEnding(exit)}${early}` };
  }

  async #drain(): Promise<number> {
    const bound = this.#spec.stop.drain_ms;
    if (bound === 0 || this.#hurry.signal.aborted) return 0;
    const drains = [...this.#registered].map((workerId) => this.#world.engine.drain(workerId, bound));
    const cut = pause(bound, this.#hurry.signal).then(() => []);
    const child = this.#child?.exited.then(() => []);
    const results = await Promise.race([Promise.all(drains), cut, ...(child === undefined ? [] : [child])]);
    return results.reduce((sum, { callsLeft }) => sum + callsLeft, 0);
  }

  #connectionLost(): void {
    if (this.#state !== "ready" || this.#spec.ready.until !== "registered") return;
    this.#enter("unready", { reason: "its connection is gone" });
    const bound = this.#spec.liveness.reconnect_ms;
    clearTimeout(this.#absence);
    if (bound === 0) return;
    this.#absence = setTimeout(() => {
      if (this.#state === "unready") this.restart(`no connection for ${bound} ms`, true);
    }, bound);
  }

  #output(stream: StreamName, text: string, droppedBytes: number): void {
    const line = this.#lines.push({ timeMs: Date.now(), pid: this.pid ?? 0, stream, text, droppedBytes });
    this.#world.onLine(this, line);
    const { until, log } = this.#spec.ready;
    if (until === "log" && log !== undefined && this.#onSign !== undefined && new RegExp(log, "u").test(text))
      this.#onSign();
  }

  #owns(pid: number): boolean {
    return lookUp(pid)?.group === this.pid || isMarked(pid, this.#mark);
  }

  #awaited(): string {
    const { until, log, tcp, call } = this.#spec.ready;
    if (until === "registered")
      return `no registration as ${this.name} in namespace ${this.#spec.namespace ?? "default"}`;
    return `${until}: ${log ?? tcp ?? call}`;
  }

  #uptimeMs(): number {
    return this.#readyMs === undefined ? 0 : Date.now() - this.#readyMs;
  }

  #enter(state: UnitState, about: { reason?: string; exit?: Exit; lastLines?: readonly string[] }): void {
    const previous = this.#state;
    if (previous === state && about.reason === this.#reason) return;
    const uptimeMs = this.#readyMs === undefined ? {} : { uptimeMs: this.#uptimeMs() };
    const pid = hasProcess(state) && this.pid !== undefined ? { pid: this.pid } : {};
    const nextStartMs = this.#nextStartMs === undefined ? {} : { nextStartMs: this.#nextStartMs };
    this.#state = state;
    this.#sinceMs = Date.now();
    this.#reason = about.reason;
    const restarts = Math.max(0, this.#starts - 1);
    this.#world.onTransition(
      {
        worker: this.name,
        entry: this.#spec.name,
        state,
        previous,
        timeMs: this.#sinceMs,
        restarts,
        ...pid,
        ...uptimeMs,
        ...nextStartMs,
        ...about,
      },
      this,
    );
  }
}

/** A name for one start of the engine that no other has. */
export function newRun(): string {
  return randomUUID();
}
