// What a command tells when the engine cannot be reached or refuses: alone in a file, so that telling it loads no sockets.

/** The call or the connection failed: `message` is a sentence for people. */
export class EngineError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
