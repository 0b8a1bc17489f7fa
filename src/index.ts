// The public door for embedding: an engine inside a process of yours, without configuration file and supervisor.
//
//   import { createLogger, startEngine } from "tercet";

export type { Clock } from "./clock.js";
export {
  DEFAULT_LISTENER,
  type Engine,
  type EngineOptions,
  type EngineStats,
  startEngine,
} from "./engine.js";
export {
  createLogger,
  type LogDestination,
  type LogFormat,
  type Logger,
  type LoggerOptions,
  type LogLevel,
} from "./log.js";
export { CodedError } from "./protocol/error.js";
export { LIMITS, type Limits } from "./protocol/limits.js";
export type { FunctionRule } from "./registry/share.js";
export { CertificateError, type ClientCertificateRule, type TlsOptions } from "./transport/certificates.js";
export { type OriginRule, readOriginRule } from "./transport/origins.js";
export {
  type BoundListener,
  type ListenAddress,
  ListenError,
  type ListenOptions,
} from "./transport/server.js";
export { ENGINE_VERSION } from "./version.js";
