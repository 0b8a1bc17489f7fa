// Who may use the functions that control the engine and its processes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Controller, checkMayControl } from "../../src/access/controller.js";
import { UNASKED } from "../../src/access/rights.js";
import { Session, type SessionPolicy } from "../../src/access/session.js";

const POLICY: SessionPolicy = {
  exposed: [],
  middlewareId: null,
  functionHook: null,
  triggerHook: null,
  triggerTypeHook: null,
  rate: null,
  hookTimeoutMs: 1,
};

function controller(address: string, policy?: SessionPolicy): Controller {
  return {
    session: policy === undefined ? null : new Session(UNASKED, policy, null),
    connection: { address },
  };
}

const LOCAL = [
  "127.0.0.1",
  "127.8.8.8",
  "::1",
  "::ffff:127.0.0.1",
  "0000:0000:0000:0000:0000:0000:0000:0001",
];
const REMOTE = ["10.0.0.7", "192.168.1.127", "::ffff:10.0.0.7", "fe80::1", "2001:db8::127", ""];

test("without rules the control functions are for callers on this machine only", () => {
  for (const address of LOCAL) checkMayControl("worker::stop", controller(address));
  for (const address of REMOTE)
    assert.throws(() => checkMayControl("worker::stop", controller(address)), { code: "FORBIDDEN" }, address);
});

test("a listener's rules decide for its sessions, wherever they come from; a middleware alone is no rule", () => {
  checkMayControl("worker::stop", controller("10.0.0.7", POLICY));
  const middlewareOnly = { ...POLICY, exposed: null, middlewareId: "m" };
  assert.throws(() => checkMayControl("worker::stop", controller("10.0.0.7", middlewareOnly)), {
    code: "FORBIDDEN",
  });
});

test("the engine itself may", () => checkMayControl("engine::config::reload", undefined));
