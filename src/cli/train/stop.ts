// Ctrl-C: the first asks the training to stop when its step is done, the second ends the program at once.

export interface Stop {
  /** The signal that asked. */
  asked(): "SIGINT" | "SIGTERM" | undefined;
  /** Signals are the system's again. */
  end(): void;
}

export function whenAsked(): Stop {
  let signal: "SIGINT" | "SIGTERM" | undefined;
  const ask = (given: "SIGINT" | "SIGTERM"): void => {
    signal = given;
    console.error("\nstopping behind this step, with a checkpoint; once more leaves at once");
    end();
  };
  const onInt = () => ask("SIGINT");
  const onTerm = () => ask("SIGTERM");
  process.on("SIGINT", onInt);
  process.on("SIGTERM", onTerm);
  // Without a listener the system's own way is to end the program.
  const end = (): void => {
    process.off("SIGINT", onInt);
    process.off("SIGTERM", onTerm);
  };
  return { asked: () => signal, end };
}
