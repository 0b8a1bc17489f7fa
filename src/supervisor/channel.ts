// Requests and notices between the engine and its supervisor, over the channel that fork gives both.
//
// Each side says what it answers; a refusal carries code and message across. When the channel closes, every request that is
// open is refused at once.

export interface Pipe {
  send(frame: unknown): void;
  onFrame(listener: (frame: unknown) => void): void;
}

type Frame =
  | { readonly kind: "request"; readonly id: number; readonly name: string; readonly body: unknown }
  | { readonly kind: "reply"; readonly id: number; readonly body: unknown }
  | { readonly kind: "refusal"; readonly id: number; readonly code: string; readonly message: string }
  | { readonly kind: "notice"; readonly name: string; readonly body: unknown };

/** Names of requests with what they carry and what they answer. */
export type Requests = Readonly<Record<string, { body: unknown; reply: unknown }>>;
/** Names of notices with what they carry. */
export type Notices = Readonly<Record<string, unknown>>;

export interface Dialect {
  requests: Requests;
  notices: Notices;
}

export type Answers<D extends Dialect> = {
  [N in keyof D["requests"]]: (
    body: D["requests"][N]["body"],
  ) => Promise<D["requests"][N]["reply"]> | D["requests"][N]["reply"];
};
export type Listeners<D extends Dialect> = { [N in keyof D["notices"]]: (body: D["notices"][N]) => void };

/** The other side refused, or is gone. */
export class ChannelError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** One end: speaks `Out`, understands `In`. */
export class Channel<Out extends Dialect, In extends Dialect> {
  readonly #pipe: Pipe;
  readonly #open = new Map<number, { resolve: (body: unknown) => void; reject: (error: Error) => void }>();
  #lastId = 0;
  #isClosed = false;

  constructor(pipe: Pipe, answers: Answers<In>, listeners: Listeners<In>) {
    this.#pipe = pipe;
    // both ends are built from the same file of message types and shipped together
    pipe.onFrame((frame) => this.#onFrame(frame as Frame, answers, listeners));
  }

  request<N extends keyof Out["requests"] & string>(
    name: N,
    body: Out["requests"][N]["body"],
  ): Promise<Out["requests"][N]["reply"]> {
    if (this.#isClosed)
      return Promise.reject(new ChannelError("CHANNEL_CLOSED", "the other process is gone"));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
      this.#pipe.send({ kind: "request", id, name, body });
    });
  }

  notify<N extends keyof Out["notices"] & string>(name: N, body: Out["notices"][N]): void {
    if (!this.#isClosed) this.#pipe.send({ kind: "notice", name, body });
  }

  close(): void {
    this.#isClosed = true;
    for (const { reject } of this.#open.values())
      reject(new ChannelError("CHANNEL_CLOSED", "the other process is gone"));
    this.#open.clear();
  }

  #onFrame(frame: Frame, answers: Answers<In>, listeners: Listeners<In>): void {
    switch (frame.kind) {
      case "notice":
        listeners[frame.name]?.(frame.body as never); // the dialect ties each name to its body
        break;
      case "request":
        void this.#answer(frame, answers[frame.name]);
        break;
      case "reply":
        this.#take(frame.id)?.resolve(frame.body);
        break;
      case "refusal":
        this.#take(frame.id)?.reject(new ChannelError(frame.code, frame.message));
    }
  }

  async #answer(
    frame: Frame & { kind: "request" },
    answer: ((body: never) => unknown) | undefined,
  ): Promise<void> {
    const { id, name } = frame;
    try {
      if (answer === undefined) throw new ChannelError("UNKNOWN_REQUEST", name);
      const body = await answer(frame.body as never); // the dialect ties each name to its body
      this.#reply({ kind: "reply", id, body });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const code = error instanceof Error && "code" in error ? String(error.code) : "INTERNAL";
      this.#reply({ kind: "refusal", id, code, message });
    }
  }

  #reply(frame: Frame): void {
    if (!this.#isClosed) this.#pipe.send(frame);
  }

  #take(id: number): { resolve: (body: unknown) => void; reject: (error: Error) => void } | undefined {
    const open = this.#open.get(id);
    this.#open.delete(id);
    return open;
  }
}
