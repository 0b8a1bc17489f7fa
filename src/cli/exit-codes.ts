// What the exit codes of `tercet` mean. The README tells the same table.

export const ExitCode = {
  /** Done; a server: stopped in order, nothing lost. */
  Ok: 0,
  /** It did not work: a wrong configuration at the start, a taken port, a call that failed, an engine that cannot be reached. */
  Failed: 1,
  /** The command line is wrong. */
  Usage: 2,
  /** A server: the configuration file became invalid while it ran (reload.on_invalid: exit). */
  ConfigInvalid: 3,
  /** A server: stopped, but calls were cut off or workers had to be killed; it said which. A drain: calls were still open at its bound. */
  Lost: 4,
  /** A server: a second Ctrl-C ended it at once. */
  Interrupted: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
