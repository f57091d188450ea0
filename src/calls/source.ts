// The tokens of one call, wherever their logits come from: rows of logits, or hidden states through a head.

import type {
  Engine,
  EntropySlopes,
  LinearGradients,
  LogitRows,
  MaybePromise,
  RowGradients,
  TokenSums,
} from "../engine.ts";
import type { FloatData } from "../inputs/floats.ts";
import type { SequencesJob } from "../inputs/sequence-logps.ts";

/** Where gradients go, as the source has them. */
export type SourceGradients = { readonly rows: RowGradients } | { readonly head: LinearGradients };

/** How the tokens are read, and how their gradients are taken further. */
export interface Source<S extends MaybePromise> {
  read(sums: TokenSums, again: boolean, keep?: number | undefined): S;
  gradient(g: Float64Array, sums: TokenSums, to: SourceGradients, entropy: EntropySlopes | undefined): S;
}

/** Opens it: memory is made sure of now, for the forward pass alone where that is all; `kept` is that of `LogitRows`. */
export function openSource<H, S extends MaybePromise>(
  engine: Engine<H, S>,
  { source, list, vocab, transform }: SequencesJob,
  isForward: boolean,
  kept?: FloatData | undefined,
): Source<S> {
  if (source.head) {
    const head = engine.head.open(source.head, list, vocab, isForward);
    return {
      read: (sums, again, keep) => engine.head.read(head, sums, again, keep),
      gradient: (g, sums, to, entropy) =>
        engine.head.gradient(head, g, sums, (to as { head: LinearGradients }).head, entropy),
    };
  }
  const { rows, targets, positions } = list;
  const given: LogitRows = { logits: source.logits, vocab, rows, targets, positions, transform, kept };
  return {
    read: (sums, again) => engine.logits.read(given, sums, again),
    gradient: (g, sums, to, entropy) =>
      engine.logits.gradient(given, g, sums, (to as { rows: RowGradients }).rows, entropy),
  };
}
