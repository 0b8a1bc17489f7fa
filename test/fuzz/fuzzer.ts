// What the fuzzers share: one interface, figures, and an error that repeats the wrong input.
//
// A fuzzer makes inputs from a seed and holds each against what must be true of it. `main.ts` runs them by the million, the tests in slices; same seed, same inputs.

/** What was met, by name: how many inputs were accepted, refused, and so on. */
export type Figures = Readonly<Record<string, number>>;

export interface Fuzzer {
  readonly name: string;
  /** What is put in, and what must be true of what comes out. */
  readonly about: string;
  /** Inputs of one slice in a long run: a wrong input is found again by running its slice alone. */
  readonly sliceInputs: number;
  /** Resolves when `inputs` inputs made from `seed` have gone well; rejects with a `WrongInput` at the first that has not. */
  run(seed: number, inputs: number): Promise<Figures>;
}

export class WrongInput extends Error {
  override readonly name = "WrongInput";
  readonly fuzzer: string;
  readonly seed: number;

  /** `input`: counted from 0 within the seed; where inputs travel in batches, the first of its batch. */
  constructor(fuzzer: string, seed: number, input: number, cause: unknown) {
    super(
      `${fuzzer}, seed ${seed}, input ${input}: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
      },
    );
    this.fuzzer = fuzzer;
    this.seed = seed;
  }
}

/** Counts what is met. */
export class Tally {
  readonly #figures = new Map<string, number>();

  add(what: string, count = 1): void {
    this.#figures.set(what, (this.#figures.get(what) ?? 0) + count);
  }

  get figures(): Figures {
    return Object.fromEntries([...this.#figures].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** A fuzzer whose inputs need nothing but the processor: `begin` gives what makes and judges the next input. */
export function pureFuzzer(
  name: string,
  about: string,
  begin: (seed: number, tally: Tally) => () => void,
): Fuzzer {
  const run = (seed: number, inputs: number): Figures => {
    const tally = new Tally();
    const next = begin(seed, tally);
    for (let input = 0; input < inputs; input++) {
      try {
        next();
      } catch (error) {
        throw new WrongInput(name, seed, input, error);
      }
    }
    return tally.figures;
  };
  return { name, about, sliceInputs: 10_000, run: async (seed, inputs) => run(seed, inputs) };
}
