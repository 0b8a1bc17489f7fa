// Two listeners of one engine, as an operator would have them: one trusted, one with rules; and scripted peers that come through either.
import type { TestContext } from "node:test";
import { WebSocket } from "ws";
import type { AccessOptions } from "../../src/access/options.js";
import type { FunctionRule } from "../../src/access/rules.js";
import { digestOf } from "../../src/access/tokens.js";
import type { EngineOptions } from "../../src/engine.js";
import { JsonPeer } from "../support/json-peer.js";
import { MsgpackPeer } from "../support/msgpack-peer.js";
import { type TestEngine, testEngine } from "../support/test-engine.js";

export interface GuardedEngine extends TestEngine {
  /** Port of the listener with rules. */
  guardedPort: number;
  /** A JSON worker through the listener with rules: a path with query, and headers. */
  enter: (target?: string, headers?: Record<string, string>) => JsonPeer;
  /** As enter, admitted: `workerregistered` has been read and it has announced itself. */
  entered: (target?: string, headers?: Record<string, string>, data?: object) => Promise<JsonPeer>;
  enterMsgpack: (headers?: Record<string, string>) => MsgpackPeer;
  enteredMsgpack: (headers?: Record<string, string>, hello?: object) => Promise<MsgpackPeer>;
}

export async function guardedEngine(
  t: TestContext,
  access: AccessOptions,
  options: Partial<EngineOptions> = {},
): Promise<GuardedEngine> {
  const listeners = [
    { host: "127.0.0.1", port: 0 },
    { host: "127.0.0.1", port: 0, access },
  ];
  const rig = await testEngine(t, { ...options, listeners });
  const guardedPort = rig.engine.listeners[1]?.port ?? 0;
  const enter = (target = "/", headers: Record<string, string> = {}): JsonPeer =>
    rig.keep(new JsonPeer(`ws://127.0.0.1:${guardedPort}${target}`, [], headers));
  const enterMsgpack = (headers: Record<string, string> = {}): MsgpackPeer =>
    rig.keep(new MsgpackPeer(guardedPort, headers));
  return {
    ...rig,
    guardedPort,
    enter,
    enterMsgpack,
    entered: async (target, headers, data) => {
      const peer = enter(target, headers);
      await peer.greeted();
      peer.announce(data);
      await peer.settle();
      return peer;
    },
    enteredMsgpack: async (headers, hello) => {
      const peer = enterMsgpack(headers);
      await peer.opened;
      await peer.greet(hello);
      return peer;
    },
  };
}

export function exposes(...patterns: string[]): FunctionRule[] {
  return patterns.map((pattern) => ({ kind: "pattern", namespace: "default", pattern }));
}

export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

export const sha256 = digestOf;

/** A trusted worker that serves `id` by a function of its own; what throws a string refuses with that message. */
export async function serve(
  rig: TestEngine,
  id: string,
  answer: (data: never) => unknown,
): Promise<JsonPeer> {
  const worker = await rig.jsonOffering(id);
  worker.socket.on("message", (text) => {
    const frame = JSON.parse(String(text));
    if (frame.type !== "invokefunction" || frame.function_id !== id) return;
    const { invocation_id, function_id, data } = frame;
    const head = { type: "invocationresult", invocation_id, function_id };
    try {
      worker.send({ ...head, result: answer(data as never) }); // the test knows what it asks for
    } catch (message) {
      worker.send({ ...head, error: { code: "invocation_failed", message: String(message) } });
    }
  });
  return worker;
}

/** The code of the frame that refuses a connection, and of the close behind it. */
export async function refusalOf(peer: JsonPeer): Promise<{ code: string; message: string; close: number }> {
  const frame = await peer.next("the refusal");
  const { code } = await peer.closed;
  return { code: frame.error?.code ?? frame.type, message: frame.error?.message ?? "", close: code };
}

export function openSocket(url: string, headers: Record<string, string> = {}): WebSocket {
  return new WebSocket(url, [], { headers, perMessageDeflate: false });
}
