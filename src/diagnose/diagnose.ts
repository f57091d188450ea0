// What runs here, and for the rest why not: for a person who reports a bug, or for a route at the edge that returns it.

import packageJson from "../../package.json" with { type: "json" };
import type { CreateBackend } from "../backends/choose.ts";
import { createJs } from "../backends/js/js.ts";
import type { CreateWasm } from "../backends/wasm/factory.ts";
import { hasRelaxedSimd, hasSimd } from "../kernels/features.ts";
import { reasonIn } from "../messages.ts";
import type { AsyncBackend, Backend } from "../types.ts";
import { type Place, placeOf } from "./place.ts";

type AnyBackend = Backend | AsyncBackend;

export interface Finding {
  readonly backend: string;
  /** It starts, and its numbers are right. */
  readonly runs: boolean;
  /** What it says of itself, or why it does not run. */
  readonly reason: string;
}

export interface Diagnosis extends Place {
  /** Of this package. */
  readonly version: string;
  readonly simd: boolean;
  readonly relaxedSimd: boolean;
  /** Why bytes may not be compiled to WebAssembly; undefined where they may. */
  readonly noCompile?: string;
  readonly backends: readonly Finding[];
  /** What `createBackend({ for: "pairs" })` takes. */
  readonly chosen: string;
}

/** The factories of a place. */
export interface Factories {
  readonly createBackend: CreateBackend;
  readonly createWasm: CreateWasm;
  readonly createPool: () => Promise<AnyBackend>;
  readonly createWebGpu: () => Promise<AnyBackend>;
}

/** Runs losses whose values are known on every backend of a place. It never rejects. */
export async function diagnoseWith({
  createBackend,
  createWasm,
  createPool,
  createWebGpu,
}: Factories): Promise<Diagnosis> {
  const candidates: Readonly<Record<string, () => AnyBackend | Promise<AnyBackend>>> = {
    "wasm, relaxed SIMD": () => createWasm({ relaxed: true }),
    "wasm, SIMD": () => createWasm({ relaxed: false }),
    js: createJs,
    pool: createPool,
    webgpu: createWebGpu,
  };
  const backends: Finding[] = [];
  for (const [name, create] of Object.entries(candidates)) backends.push(await tryBackend(name, create));
  const chosen = await createBackend({ for: "pairs" });
  const noCompile = await whyNoCompile();
  return {
    version: packageJson.version,
    ...placeOf(),
    simd: hasSimd(),
    relaxedSimd: hasRelaxedSimd(),
    ...(noCompile === undefined ? {} : { noCompile }),
    backends,
    chosen: chosen.name,
  };
}

// The smallest module there is.
const empty = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);

async function whyNoCompile(): Promise<string | undefined> {
  try {
    // Bundlers for the edge refuse the call where they see it.
    const { compile } = WebAssembly;
    await compile(empty);
    return undefined;
  } catch (error) {
    return reasonIn(error);
  }
}

// DPO of five pairs with log-ratios that differ by d nats: the mean of log(1 + e^(-d/10)).
const zeros = new Float32Array(5);
const pairs = {
  policyChosen: Float32Array.of(-40, -10, 0, 10, 40),
  policyRejected: zeros,
  referenceChosen: zeros,
  referenceRejected: zeros,
};
const expected = 1.2711940822864018;

// Two tokens of 2^19 equal logits: as many as a pool takes to its workers.
const VOCAB = 2 ** 19;
const tokens = { pairs: 1, offsets: Int32Array.of(0, 1, 2), targets: Int32Array.of(0, 7) };

async function tryBackend(name: string, create: () => AnyBackend | Promise<AnyBackend>): Promise<Finding> {
  try {
    const backend = await create();
    try {
      const { loss } = await backend.pairLoss(pairs, { lossType: "sigmoid", beta: 0.1 });
      const batch = { tokens, vocab: VOCAB, logits: new Float32Array(2 * VOCAB) };
      const [logp = 0] = (await backend.sequenceLogps(batch)).logps;
      const wrong = (got: number, want: number): string | undefined =>
        Math.abs(got - want) < 1e-5 ? undefined : `gives a wrong number: expected ${want}, got ${got}`;
      const reason = wrong(loss, expected) ?? wrong(logp, -19 * Math.LN2);
      return { backend: name, runs: reason === undefined, reason: reason ?? backend.reason };
    } finally {
      await backend.dispose();
    }
  } catch (error) {
    return { backend: name, runs: false, reason: reasonIn(error) };
  }
}
