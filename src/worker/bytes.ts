// Text to bytes and back, as fast as the platform can.
//
// Node's Buffer writes and reads UTF-8 in place; elsewhere TextEncoder and TextDecoder do the same a
// little slower. The choice is made once, when the module loads, without importing anything of Node.

interface Utf8 {
  /** Memory that `write` and `read` are fastest on; not zeroed where the platform allows it. */
  allocate(size: number): Uint8Array<ArrayBuffer>;
  /** Writes `text` at `at` and says how many bytes that took; there must be room for 3 per UTF-16 unit. */
  write(bytes: Uint8Array, text: string, at: number): number;
  /** The text between two offsets; what is not UTF-8 becomes U+FFFD. */
  read(bytes: Uint8Array, start: number, end: number): string;
}

function withBuffer(NodeBuffer: typeof Buffer): Utf8 {
  const asBuffer = (bytes: Uint8Array): Buffer =>
    bytes instanceof NodeBuffer ? bytes : NodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    allocate: (size) => NodeBuffer.allocUnsafeSlow(size),
    write: (bytes, text, at) => asBuffer(bytes).write(text, at),
    read: (bytes, start, end) => asBuffer(bytes).toString("utf8", start, end),
  };
}

function withTextCoders(): Utf8 {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    allocate: (size) => new Uint8Array(size),
    write: (bytes, text, at) => encoder.encodeInto(text, bytes.subarray(at)).written,
    read: (bytes, start, end) => decoder.decode(bytes.subarray(start, end)),
  };
}

// Reached through globalThis so that a bundler does not see a use of Buffer and add a copy of its own.
// The cast says no more than the test beside it finds out.
const NodeBuffer = (globalThis as { Buffer?: typeof Buffer }).Buffer;

export const utf8: Utf8 = NodeBuffer === undefined ? withTextCoders() : withBuffer(NodeBuffer);
