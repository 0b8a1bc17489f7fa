// Loaded into an engine in front of its own code: every call it forwards allocates one small object, which is kept until a
// thousand later ones have come. It is what the counts and the gate have to notice.

import { InFlight } from "../../src/router/in-flight.js";

const kept: object[] = new Array(1024).fill({});
let count = 0;

const { enter } = InFlight.prototype;
InFlight.prototype.enter = function (this: InFlight, ...call: Parameters<typeof enter>) {
  kept[count++ & 1023] = { call: call[0] };
  return enter.apply(this, call);
};
