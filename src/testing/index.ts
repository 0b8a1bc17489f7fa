// The public door for tests of one's own workers: an engine in a process of its own, and lines to it that can be cut, stalled, slowed and spoiled.
//
//   import { startTestEngine } from "tercet/testing";

export type { EngineStats } from "../engine.js";
export type { Memory, TestedOptions } from "./engine-messages.js";
export { eventually } from "./eventually.js";
export { balance } from "./leftovers.js";
export { type FaultCounts, Line, type LineFaults, type LineOptions, type MessageSeen } from "./line.js";
export { ShiftedClock } from "./shifted-clock.js";
export { startTestEngine, TestEngine, type TestEngineOptions } from "./test-engine.js";
