// A run in another process or a page: it asks the command that started it what to run, and posts what comes of it.

import type { Progress, RunOptions } from "./run.ts";
import type { BenchResult } from "./types.ts";

/** What is to be run, as the command answers it under `<run>/order`. */
export interface Order {
  readonly options: Pick<RunOptions, "quick" | "cases" | "seed" | "total" | "budget" | "rounds" | "machine"> & {
    /** Whether the peers take part. Default true. */
    readonly peers?: boolean | undefined;
  };
  /** Addresses of the peers' modules by their names, where the runtime does not find them by these. */
  readonly peers: Readonly<Record<string, string>>;
}

/** What a run posts under `<run>/report`; `soFar` is kept where no result follows. */
export type Report =
  | { readonly progress: Progress }
  | { readonly soFar: BenchResult }
  | { readonly result: BenchResult }
  | { readonly failure: string };

/** Everything that one measures of an order. */
export type Measure = (
  order: Order,
  onProgress: (progress: Progress) => Promise<void>,
  onPart: (soFar: BenchResult) => Promise<void>,
) => Promise<BenchResult>;

/** Messages take processor time from what is measured. */
const MILLISECONDS_BETWEEN_MESSAGES = 1000;

/**
 * Runs what the command asks for at this address, which ends without a slash, and reports there.
 *
 * Throws    Error, where it fails; it has been reported
 */
export async function runFor(address: string, measure: Measure): Promise<BenchResult> {
  const report = async (said: Report): Promise<void> => {
    const response = await fetch(`${address}/report`, { method: "POST", body: JSON.stringify(said) });
    // An answer that nobody reads keeps its connection.
    await response.arrayBuffer();
  };
  const order = await orderAt(address);
  let next = 0;
  try {
    const onProgress = async (progress: Progress): Promise<void> => {
      // Which candidate it was that never answered is known by the last message.
      if (Date.now() < next && progress.candidate === undefined) return;
      await report({ progress });
      next = Date.now() + MILLISECONDS_BETWEEN_MESSAGES;
    };
    const result = await measure(order, onProgress, (soFar) => report({ soFar }));
    await report({ result });
    return result;
  } catch (error) {
    await report({ failure: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
    throw error;
  }
}

async function orderAt(address: string): Promise<Order> {
  const response = await fetch(`${address}/order`);
  if (!response.ok) throw new Error(`${address}: no run is waited for here, status ${response.status}`);
  return (await response.json()) as Order;
}
