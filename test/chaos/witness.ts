// A witness at the engine's end of a line: counts the calls that the engine received and the ends that it sent, connection by connection.
//
// It sees what is really asked of the engine after every fault of the line: a call that the line doubled is two calls, and two ends are right; an answer that
// the line doubled behind it is none of the engine's doing. So "each call is answered exactly once" is counted here whatever the line does.
import type { MessageSeen } from "../../src/testing/index.js";
import { records } from "../support/wire.js";

interface Ledger {
  /** Calls received less ends sent, by the caller's own number. */
  readonly open: Map<string, number>;
  calls: number;
}

export class Witness {
  calls = 0;
  ends = 0;
  readonly faults: string[] = [];
  readonly #ledgers = new Map<number, Ledger>();

  readonly see = (seen: MessageSeen): void => {
    const ledger = this.#ledgers.get(seen.connection) ?? { open: new Map(), calls: 0 };
    this.#ledgers.set(seen.connection, ledger);
    const isToEngine = seen.direction === "to engine";
    const numbers = seen.isBinary
      ? packedCalls(seen.payload, isToEngine)
      : textCalls(seen.payload, isToEngine);
    for (const call of numbers)
      if (isToEngine) this.#called(ledger, call);
      else this.#ended(ledger, call);
  };

  /** Sentences about calls that the engine has not answered on connections that live. For when everything is calm. */
  unanswered(connections: readonly number[]): string[] {
    return connections.flatMap((connection) => {
      const open = [...(this.#ledgers.get(connection)?.open ?? [])].filter(([, count]) => count > 0);
      return open
        .slice(0, 3)
        .map(([call, count]) => `call ${call} was received and lacks ${count} of its ends`);
    });
  }

  #called(ledger: Ledger, call: string): void {
    this.calls++;
    ledger.open.set(call, (ledger.open.get(call) ?? 0) + 1);
  }

  #ended(ledger: Ledger, call: string): void {
    this.ends++;
    const open = ledger.open.get(call) ?? 0;
    if (open === 0) return void this.faults.push(`the engine ended call ${call} once more than it was asked`);
    if (open === 1) ledger.open.delete(call);
    else ledger.open.set(call, open - 1);
  }
}

/** Calls' numbers in a frame: those asked for in one to the engine, those ended in one from it. */
function packedCalls(payload: Buffer, isToEngine: boolean): string[] {
  const kinds = isToEngine ? [1] : [2, 3];
  return records(payload)
    .filter(([kind]) => kinds.includes(Number(kind)))
    .map(([, call]) => String(call));
}

function textCalls(payload: Buffer, isToEngine: boolean): string[] {
  const frame = parsed(payload);
  const type = isToEngine ? "invokefunction" : "invocationresult";
  return frame?.["type"] === type && frame["action"] === undefined ? [String(frame["invocation_id"])] : [];
}

/** Null for what is no JSON: workers under chaos send that, too. */
function parsed(payload: Buffer): Record<string, unknown> | null {
  try {
    return JSON.parse(String(payload)) as Record<string, unknown>; // peers here send objects
  } catch {
    return null;
  }
}
