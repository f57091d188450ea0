// The declarations of the packed tarball: every TypeScript from 5.7 on, libraries and module resolutions, `skipLibCheck: false`.

import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { whereThereIs } from "../support/where-there-is.ts";
import { root } from "./support/processes.ts";
import { noTools, project, runIn, toolFile } from "./support/projects.ts";

const compilers = {
  "5.7": toolFile("typescript5.7/lib/tsc.js"),
  "5.9": toolFile("typescript5.9/lib/tsc.js"),
  "6.0": join(root, "node_modules/typescript/lib/tsc.js"),
};
const libraries = ["es2022", "es2023", "esnext", "es2022,dom", "esnext,dom"];
const resolutions = [
  ["nodenext", "nodenext"],
  ["esnext", "bundler"],
  ["preserve", "bundler"],
  // Deprecated in 6.0, and gone from 7.0.
  ["esnext", "node10"],
] as const;

// Every entry, and what comes back without a cast: a wrong type here is an error.
const use = `
  import { createBackend, createJs, createWasm, type Backend, type LogitsBatch } from "dpo-kernels";
  import * as js from "dpo-kernels/js";
  import module from "dpo-kernels/kernels.wasm";
  import sameModule from "dpo-kernels/kernels.wasm?module";
  import relaxed from "dpo-kernels/kernels-relaxed.wasm";
  import { createPool } from "dpo-kernels/pool";
  import { createService } from "dpo-kernels/service";
  import * as text from "dpo-kernels/text";
  import { adamw, adamwState } from "dpo-kernels/train";
  import { createWebGpu } from "dpo-kernels/webgpu";
  import "dpo-kernels/worker";
  import "dpo-kernels/workerd";
  import "dpo-kernels/edge-light";

  const wasm: Backend = await createWasm({ module });
  await createWasm({ module: sameModule });
  await createWasm({ module: relaxed, relaxed: true });
  const ones = Float32Array.of(1);
  const pairs = { policyChosen: ones, policyRejected: ones, referenceChosen: ones, referenceRejected: ones };
  const loss: number = wasm.pairLoss(pairs, { lossType: ["sigmoid", "ipo"], lossWeights: [1, 2] }).loss;

  const tokens = { pairs: 1, offsets: Int32Array.of(0, 1, 2), targets: Int32Array.of(0, 1) };
  const reference = { logps: Float64Array.of(-1, -2) };
  const of32 = { tokens, vocab: 2, logits: new Float32Array(4), reference };
  const bits = { tokens, vocab: 2, logits: { f16: new Uint16Array(4) }, reference };
  const brain = { tokens, vocab: 2, logits: { bf16: new Uint16Array(4) }, reference };
  const gradient: Float32Array<ArrayBufferLike> = wasm.logitsLoss(of32).gradLogits;
  const halves: { f16: Uint16Array<ArrayBufferLike> } = wasm.logitsLoss(bits).gradLogits;
  const brains: Uint16Array<ArrayBufferLike> = wasm.logitsLoss(brain, { lossType: "hinge" }).gradLogits.bf16;
  const widened: Float32Array<ArrayBufferLike> = wasm.logitsLoss(bits, { gradType: "f32" }).gradLogits;
  const entropy: Float32Array<ArrayBufferLike> = wasm.sequenceLogps(of32, { entropy: true }).entropy;
  const back: Float32Array<ArrayBufferLike> = wasm.sequenceLogpsGrad(of32, { logps: reference.logps }).gradLogits;

  const linear = { tokens, vocab: 2, hiddenSize: 1, hidden: new Float32Array(2), weight: new Float32Array(2), reference };
  const hidden: Float32Array<ArrayBufferLike> = wasm.linearLoss(linear).gradHidden;

  const pool = await createPool({ workers: 2 });
  const pooled: Float32Array<ArrayBufferLike> = (await pool.logitsLoss(of32)).gradLogits;
  const gpu = await createWebGpu();
  const onGpu: Float32Array<ArrayBufferLike> = (await gpu.logitsLoss(of32)).gradLogits;
  const best = await createBackend({ for: "logits" });
  const any: Float32Array<ArrayBufferLike> = (await best.logitsLoss(of32)).gradLogits;
  const generic = (batch: LogitsBatch) => wasm.logitsLoss({ ...batch, reference }).gradLogits;

  // @ts-expect-error The gradient of bits is bits.
  const wrong: Float32Array = wasm.logitsLoss(bits).gradLogits;
  // @ts-expect-error No option of this name.
  wasm.logitsLoss(of32, { betta: 1 });
  adamw(ones, ones, adamwState(ones), { lr: 1e-3 });
  createService({});
  await pool.dispose();
  export { any, back, brains, createJs, entropy, generic, gradient, halves, hidden, js, loss, onGpu, pooled, text, widened, wrong };
`;

// Where the libraries know of it.
const using = `
  import { createJs } from "dpo-kernels";
  import { createPool } from "dpo-kernels/pool";
  using js = createJs();
  await using pool = await createPool();
  const signal: AbortSignal = AbortSignal.timeout(1000);
  const halves: Float16Array<ArrayBufferLike> = js.logitsLoss({
    tokens: { pairs: 1, offsets: Int32Array.of(0, 1, 2), targets: Int32Array.of(0, 1) },
    vocab: 2,
    logits: new Float16Array(4),
    reference: { logps: Float64Array.of(-1, -2) },
  }, { signal }).gradLogits;
  createPool({ createWorker: () => new Worker(new URL("dpo-kernels/worker", import.meta.url), { type: "module" }) });
  export { halves, pool };
`;

/** `more`: TypeScript's own libraries are checked once for each compiler, with `using`, and not each time. */
const settings = (
  lib: string,
  [module, moduleResolution]: readonly [string, string],
  file: string,
  more: object = { skipDefaultLibCheck: true },
): string =>
  JSON.stringify({
    compilerOptions: {
      ...{ target: "es2022", lib: lib.split(","), module, moduleResolution, types: [] },
      ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true, ...more },
    },
    files: [file],
  });

whereThereIs("TypeScript", noTools, () => {
  let folder = "";
  beforeAll(() => {
    const all = libraries.flatMap((lib) =>
      resolutions.map((each) => [`${lib}-${each.join("-")}.json`, settings(lib, each, "use.ts")]),
    );
    folder = project("typescript", {
      ...Object.fromEntries(all),
      "use.ts": use,
      "using.ts": using,
      "using.json": settings("esnext,dom", ["nodenext", "nodenext"], "using.ts", {}),
    });
  }, 60_000);

  describe.each(Object.entries(compilers))("TypeScript %s", (version, compiler) => {
    const clean = (file: string, deprecated: boolean) => async (): Promise<void> => {
      const allowed = deprecated && version === "6.0" ? ["--ignoreDeprecations", "6.0"] : [];
      const output = await runIn(folder, [compiler, "-p", file, ...allowed]).catch((error: Error) => error.message);
      expect(output).toBe("");
    };
    const cases = libraries.flatMap((lib) => resolutions.map((each) => [lib, each.join(", ")] as const));
    // Compilers have one thread.
    it.concurrent.each(cases)("lib %s, module and resolution %s", { timeout: 120_000 }, async (lib, each) => {
      await clean(`${lib}-${each.replace(", ", "-")}.json`, each.endsWith("node10"))();
    });
    // 5.7 knows no Float16Array.
    it.skipIf(version === "5.7")(
      "using, AbortSignal, Float16Array, Worker",
      { timeout: 120_000 },
      clean("using.json", false),
    );
  });
});
