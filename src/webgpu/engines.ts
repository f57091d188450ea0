// The engines of calls whose pair stage runs on this side, in float64: sums come back from the GPU, slopes go there.

import type { LinearGradients } from "../backend/linear-engine.ts";
import type { LogitRows } from "../backend/logits-loss.ts";
import type { TokenEngines } from "../backend/reference.ts";
import type { TokenSums } from "../backend/token-stage.ts";
import type { FloatData } from "../floats.ts";
import { checkSignal, type Gpu, submit } from "./commands.ts";
import { checkHead, type HeadOnGpu, headSource } from "./head.ts";
import { isOnDevice, type Placed, place } from "./place.ts";
import { rowsSource } from "./rows.ts";
import { packSlopes, packTokens, type TokenSource, unpackSums } from "./source.ts";
import { take } from "./target.ts";

/** The engines of one call; `release` gives back what it keeps on the GPU. */
export function createEngines(gpu: Gpu, signal?: AbortSignal): TokenEngines<HeadOnGpu> & { release: () => void } {
  const placed = new Map<FloatData["data"], Placed>();
  // Logits stay on the GPU between the two passes.
  const onGpu = ({ logits, vocab }: LogitRows): Placed => {
    const found = placed.get(logits.data) ?? place(gpu, logits, vocab);
    placed.set(logits.data, found);
    return found;
  };

  const read = async (source: TokenSource, targets: Int32Array, sums: TokenSums): Promise<void> => {
    if (targets.length > 0) {
      await submit(gpu, (commands) => {
        const tokens = commands.upload(packTokens(source, targets));
        const range = source.forward(commands, tokens, sums.statistics !== undefined);
        commands.read(range, (bytes) => unpackSums(bytes, sums));
      });
    }
    checkSignal(signal);
  };

  return {
    logits: {
      read: (batch, sums) => read(rowsSource(gpu, { ...batch, logits: onGpu(batch) }), batch.targets, sums),
      async gradient(batch, g, sums, { out }) {
        const { logits, vocab, targets } = batch;
        const from = onGpu(batch);
        // Our copy of the caller's array may be written over; a buffer of the caller's only if that was asked for.
        const mayWrite = isOnDevice(out) ? out.data === logits.data : !isOnDevice(logits);
        const over = out.type === logits.type && mayWrite;
        const gradient = over ? from : place(gpu, out, vocab, false);
        const source = rowsSource(gpu, { ...batch, logits: from, gradient });
        try {
          await submit(gpu, (commands) => {
            source.backward(commands, commands.upload(packSlopes(source, targets, g, sums)));
            if (isOnDevice(out)) return;
            for (const piece of gradient.pieces) {
              commands.read(piece.range, (bytes) => take(bytes, out, piece.first * vocab, piece.rows * vocab));
            }
          });
        } finally {
          if (!over) gradient.release();
        }
      },
    },
    linear: {
      open(head, list, vocab) {
        const made = { head, list, vocab };
        checkHead(gpu, made);
        return made;
      },
      read: (head, sums) => read(headSource(gpu, head), head.list.targets, sums),
      gradient(head, g, sums, out: LinearGradients) {
        const source = headSource(gpu, head, out);
        return submit(gpu, (commands) => {
          source.backward(commands, commands.upload(packSlopes(source, head.list.targets, g, sums)));
        });
      },
    },
    release() {
      for (const { release } of placed.values()) release();
    },
  };
}
