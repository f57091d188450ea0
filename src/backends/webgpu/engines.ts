// The engines of calls whose pair stage can only run on this side: sums come back from the GPU, slopes go there.

import type { Engine, EntropySlopes, LogitRows, PairEngine, TokenSums } from "../../engine.ts";
import type { FloatData } from "../../inputs/floats.ts";
import { type DeviceRows, toDeviceRows, toGradientRows } from "./device-rows.ts";
import { checkHead, headSource } from "./head.ts";
import type { HeadInputs } from "./head-parts.ts";
import { rowsSource } from "./rows.ts";
import { type Gpu, submit } from "./submit.ts";
import { packEntropies, packSlopes, packTokens, type TokenSource, unpackSums } from "./token-source.ts";

/** The engines of one call; `release` gives back what it keeps on the GPU. */
export function createEngines(
  gpu: Gpu,
  pairs: PairEngine,
  signal?: AbortSignal,
): Engine<HeadInputs> & { release: () => void } {
  const placed = new Map<FloatData["data"], DeviceRows>();
  // Logits stay on the GPU between the two passes.
  const onGpu = ({ logits, vocab }: LogitRows): DeviceRows => {
    const found = placed.get(logits.data) ?? toDeviceRows(gpu, logits, vocab);
    placed.set(logits.data, found);
    return found;
  };

  const read = async (source: TokenSource, targets: Int32Array, sums: TokenSums): Promise<void> => {
    if (targets.length > 0) {
      await submit(
        gpu,
        (commands) => {
          const tokens = commands.upload(packTokens(source, targets));
          const range = source.forward(commands, tokens, sums.statistics !== undefined);
          commands.read(range, (bytes) => unpackSums(bytes, sums));
        },
        signal,
      );
    }
  };

  const back = (
    source: TokenSource,
    targets: Int32Array,
    g: Float64Array,
    sums: Pick<TokenSums, "max" | "sum">,
    entropy: EntropySlopes | undefined,
  ) =>
    submit(
      gpu,
      (commands) => {
        const slopes = commands.upload(packSlopes(source, targets, g, sums, entropy));
        source.backward(commands, slopes, entropy && commands.upload(packEntropies(source, entropy)));
      },
      signal,
    );

  return {
    pairs,
    logits: {
      read: (batch, sums) => read(rowsSource(gpu, { ...batch, logits: onGpu(batch) }), batch.targets, sums),
      async gradient(batch, g, sums, { out }, entropy) {
        const { logits, vocab, targets } = batch;
        const from = onGpu(batch);
        const to = toGradientRows(gpu, logits, from, out, vocab);
        try {
          await back(rowsSource(gpu, { ...batch, logits: from, ...to }), targets, g, sums, entropy);
        } finally {
          to.gradient.release();
        }
      },
    },
    head: {
      open(head, list, vocab) {
        const made = { head, list, vocab };
        checkHead(gpu, made);
        return made;
      },
      read: (head, sums) => read(headSource(gpu, head), head.list.targets, sums),
      gradient: (head, g, sums, out, entropy) => back(headSource(gpu, head, out), head.list.targets, g, sums, entropy),
    },
    release() {
      for (const { release } of placed.values()) release();
    },
  };
}
