// Control: the null relay, frame by frame. Every frame is handed to the other side as it arrives.
//
// No look inside, no copy, no memory of its own: what remains is the price of receiving and sending one frame.

import { peerOf, serve } from "./uws-server.js";

serve((from, frame, isBinary) => {
  peerOf(from).send(frame, isBinary);
});
