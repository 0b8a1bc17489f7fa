// The public door of the worker SDK, for Node and browsers.
//
//   import { connect } from "tercet/worker";
//
//   const worker = await connect();
//   worker.register("math::add", ({ a, b }: { a: number; b: number }) => a + b);
//   await worker.call("math::add", { a: 2, b: 3 }); // 5

export { connect } from "./connect.js";
export {
  CallError,
  type CallErrorDetails,
  CancelledError,
  ConnectError,
  ConnectionLostError,
  PayloadError,
  TimeoutError,
  WorkerClosedError,
  WorkerError,
} from "./errors.js";
export type {
  Calling,
  CallOptions,
  CastOptions,
  CloseOptions,
  ConnectOptions,
  Context,
  DrainOptions,
  Handler,
  RegisterOptions,
  SendOptions,
  Share,
  WorkerEvent,
} from "./options.js";
export type { ReconnectOptions } from "./reconnect.js";
export type { Registration, RegistrationState } from "./registrations.js";
export type { JsonSchema, StandardSchema, ToJsonSchema } from "./schema.js";
export { SchemaError } from "./schema.js";
export type { SessionState } from "./session.js";
export type { SocketTls } from "./socket.js";
export type { ChannelRef, StreamPart } from "./streams.js";
export type { Trigger, TriggerOptions, TriggerState } from "./trigger.js";
export type {
  ProvidedTrigger,
  ProvidedType,
  TriggerTypeHandler,
  TriggerTypeOptions,
} from "./trigger-types.js";
export type { ExtensionValue } from "./value-reader.js";
export type { RegistryChange, RegistryUpdate, Watch, WatchFilter } from "./watches.js";
export type { Worker } from "./worker.js";
