// What may go wrong with a shard, by what is to be done about it.

const kinds = ["unfit", "poison", "fault"] as const;

/** "unfit": another worker may do it, this one cannot. "poison": nobody can. "fault": it may go well the next time. */
export type ProblemKind = (typeof kinds)[number];

export interface Problem {
  readonly kind: ProblemKind;
  readonly message: string;
}

/** An error of a known kind; it keeps its kind on its way from process to process. */
export const asError = ({ kind, message }: Problem): Error => Object.assign(new Error(message), { kind });

/** This worker lacks the model or the data of the job. */
export const unfit = (message: string): Error => asError({ kind: "unfit", message });

/** What an error is. Refusals name a file, a row and what is wrong with it: the next worker would find the same. */
export function problemOf(error: unknown): Problem {
  if (!(error instanceof Error)) return { kind: "fault", message: String(error) };
  const own = "kind" in error ? kinds.find((kind) => kind === error.kind) : undefined;
  const isRefusal = "exitCode" in error && error.exitCode === 2;
  return { kind: own ?? (isRefusal ? "poison" : "fault"), message: error.message };
}
