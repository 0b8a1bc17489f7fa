// A worker process to be killed: offers functions under a name, takes every call and answers none.
//
//   node victim.js json|msgpack PORT NAME ID…
import { JsonPeer } from "./json-peer.js";
import { MsgpackPeer } from "./msgpack-peer.js";

const [wire, port, name, ...ids] = process.argv.slice(2);

if (wire === "json") {
  const peer = await JsonPeer.announced(Number(port), { name });
  for (const id of ids) peer.register(id);
  await peer.settle();
} else await MsgpackPeer.offering(Number(port), ids, { name });
process.send?.("ready");
