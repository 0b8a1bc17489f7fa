// Frames of every type of the JSON protocol as a stranger would send them: right, cut, or with a piece of JSON where none should be.
import type { Random } from "../support/random.js";

const ID = "9d6a2b0c-5d3e-4a4e-8f1c-2b7c1b1f0a01";
const DATA = [
  "1",
  "null",
  '{"a":[1,{"b":"\\u00e9"}],"_caller_worker_id":"x"}',
  '"text"',
  "[1.0,1e400,18446744073709551615]",
  "[[[[]]]]",
];
const FUNCTIONS = [
  "mine::packed",
  "fuzz::json",
  "nobody",
  "engine::workers::list",
  "engine::functions::info",
  "engine::channels::create",
  "engine::triggers::list",
  "fuzz::0",
];
const TYPES = ["mailbox", "other", "engine::functions-available", "engine::workers-available"];
const PIECES = [
  '"',
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "\\",
  "NaN",
  "\\u00",
  "é",
  "\u0000",
  " ",
  "-",
  "9".repeat(5_000),
  '"type":"ping",',
  "[".repeat(200),
];

/** One frame. `calls`: ids of calls that its sender was given. */
export function envelope(random: Random, calls: readonly string[]): string {
  const make = random.pick([callFrame, answerFrame, registrationFrame, triggerFrame, otherFrame]);
  return spoilt(random, make(random, calls));
}

function callFrame(random: Random): string {
  const [fn, data] = [random.pick(FUNCTIONS), random.pick(DATA)];
  return random.pick([
    `{"type":"invokefunction","invocation_id":"${ID}","function_id":"${fn}","data":${data},"metadata":{"key":${data}},"traceparent":"t","baggage":"a=b"}`,
    `{"type":"invokefunction","function_id":"${fn}","data":${data},"action":{"type":"void"}}`,
    `{"type":"invokefunction","invocation_id":"${ID}","function_id":"${fn}","data":${data},"action":{"type":"enqueue","queue":"q"},"namespace":"default"}`,
  ]);
}

function answerFrame(random: Random, calls: readonly string[]): string {
  const [id, fn] = [random.pick([ID, ...calls]), random.pick(FUNCTIONS)];
  return random.pick([
    `{"type":"invocationresult","invocation_id":"${id}","function_id":"${fn}","result":${random.pick(DATA)}}`,
    `{"type":"invocationresult","invocation_id":"${id}","function_id":"${fn}","error":{"code":"c","message":"m"}}`,
  ]);
}

function registrationFrame(random: Random): string {
  const namespace = random.pick(["null", '"default"', '" "', '"x"']);
  return random.pick([
    `{"type":"registerfunction","id":"fuzz::json","description":"d","metadata":${random.pick(DATA)},"request_format":{"a":1}}`,
    '{"type":"unregisterfunction","id":"fuzz::json"}',
    `{"type":"invokefunction","function_id":"engine::workers::register","data":{"name":"n${random.below(3)}","namespace":${namespace}},"action":{"type":"void"}}`,
  ]);
}

function triggerFrame(random: Random): string {
  const [type, id] = [random.pick(TYPES), `t${random.below(8)}`];
  return random.pick([
    `{"type":"registertriggertype","id":"${type}","description":"d","trigger_request_format":${random.pick(DATA)}}`,
    `{"type":"unregistertriggertype","id":"${type}"}`,
    `{"type":"registertrigger","id":"${id}","trigger_type":"${type}","function_id":"${random.pick(FUNCTIONS)}","config":${random.pick(DATA)},"metadata":{"m":1}}`,
    `{"type":"unregistertrigger","id":"${id}","trigger_type":"${type}"}`,
    `{"type":"triggerregistrationresult","id":"${id}","trigger_type":"${type}","function_id":"nobody","error":{"code":"c","message":"m"}}`,
  ]);
}

function otherFrame(random: Random): string {
  return random.pick([
    `{"type":"reattach","previous_worker_id":"${ID}","reattach_token":"${ID}"}`,
    '{"type":"registerservice","id":"s","name":"s"}',
    '{"type":"ping"}',
    '{"type":"pong"}',
  ]);
}

function spoilt(random: Random, text: string): string {
  const dice = random.next();
  if (dice < 0.3) return text;
  const at = random.below(text.length);
  if (dice < 0.45) return text.slice(0, at);
  return text.slice(0, at) + random.pick(PIECES) + text.slice(at + (dice < 0.7 ? 1 : 0));
}
