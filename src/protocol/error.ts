// The codes by which peers are told what went wrong. PROTOCOL.md has a heading for each.

import { RECONNECT_MS_MAX, RECONNECT_MS_MIN, RECONNECTS_PER_MS } from "./limits.js";

export const ErrorCode = {
  FunctionNotFound: "function_not_found",
  InvocationStopped: "invocation_stopped",
  DeadlineExceeded: "deadline_exceeded",
  Cancelled: "cancelled",
  Overloaded: "overloaded",
  RateLimited: "rate_limited",
  Draining: "draining",
  InvalidRecord: "invalid_record",
  PayloadInvalid: "payload_invalid",
  PayloadUntranslatable: "payload_untranslatable",
  PayloadOutOfBounds: "payload_out_of_bounds",
  AnswerInvalid: "answer_invalid",
  InvalidNamespace: "INVALID_NAMESPACE",
  EnqueueError: "enqueue_error",
  DeserializationError: "deserialization_error",
  InvalidArguments: "INVALID_ARGUMENTS",
  NotFound: "NOT_FOUND",
  Forbidden: "FORBIDDEN",
  AuthError: "AUTH_ERROR",
  InvocationFailed: "invocation_failed",
  MalformedRecord: "malformed_record",
  HelloExpected: "hello_expected",
  WorkerNameTaken: "worker_name_taken",
  FunctionIdReserved: "function_id_reserved",
  LimitReached: "limit_reached",
  TriggerRegistrationFailed: "trigger_registration_failed",
  UnregisterFailed: "unregister_failed",
  TriggerTypeReserved: "trigger_type_reserved",
  ChannelNotFound: "channel_not_found",
  ChannelEndTaken: "channel_end_taken",
  ChannelExpired: "channel_expired",
  StreamBroken: "stream_broken",
  StreamCancelled: "stream_cancelled",
  StreamOverrun: "stream_overrun",
  UrlValidationFailed: "url_validation_failed",
  SecretNotFound: "secret_not_found",
  TokenNotFound: "token_not_found",
  ApiKeyNotFound: "api_key_not_found",
  HttpFunctionsUnavailable: "http_functions_unavailable",
  HttpRequestFailed: "http_request_failed",
  HttpResponseFailed: "http_response_failed",
  HttpError: "http_error",
  InvalidResponse: "invalid_response",
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** WebSocket close codes the engine gives; PROTOCOL.md, "Close codes". Never 1000 or 1001 on a worker socket: the Python SDK takes these as final. */
export const CloseCode = {
  GoingDown: 1012,
  Malformed: 4400,
  Unauthorized: 4401,
  Forbidden: 4403,
  HelloTimeout: 4408,
  WorkerNameTaken: 4409,
  Replaced: 4410,
  Drained: 4411,
  HeldTooMuch: 4413,
} as const;

/** The reason of a {@link CloseCode.GoingDown}: with the time over which so many workers should spread their coming back. */
export function goingDown(connections: number): string {
  const spreadMs = Math.min(RECONNECT_MS_MAX, Math.ceil(connections / RECONNECTS_PER_MS));
  return `the engine is going down; reconnect_ms=${Math.max(RECONNECT_MS_MIN, spreadMs)}`;
}

/** A refusal on its way to a caller: a code for programs and a sentence for people. */
export class CodedError extends Error {
  override readonly name = "CodedError";
  readonly code: string;
  /** When to try again, in milliseconds, where that is known. */
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}
