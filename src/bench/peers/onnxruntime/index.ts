// ONNX Runtime: the same graphs on WebAssembly (SIMD, one thread) and on the native library (one thread).
// Timed is `session.run`, as every user pays it: copies of the inputs in, fresh arrays out. Optimisers are no business of its inference
// sessions: no form.

import type { InferenceSession, TensorConstructor } from "onnxruntime-common";
import type { Opened } from "../../types.ts";
import { candidate, type Forms, type Libraries, loadAll, type Peer, repeatable, skipped, versionOf } from "../peer.ts";
import { encodeModel, type Graph } from "./encode.ts";
import { linearGraph, logitsGraph, pairsGraph, rowsGraph } from "./graphs.ts";

/** What both runtimes have. */
interface Runtime {
  readonly InferenceSession: {
    create(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: TensorConstructor;
  readonly env: {
    readonly wasm: { numThreads?: number };
    readonly versions: { readonly web?: string; readonly node?: string };
  };
}

/**
 * It puts Node's workers in the place of the runtime's: under Node, where there are none, jax-js concludes that it has threads, and fails;
 * under Deno and Bun our pools would be made of the wrong ones.
 */
const ownWorker = Object.getOwnPropertyDescriptor(globalThis, "Worker");

const restoreWorker = (): void => {
  if (ownWorker) Object.defineProperty(globalThis, "Worker", ownWorker);
  else Reflect.deleteProperty(globalThis, "Worker");
};

type Arrays = Readonly<Record<string, Float32Array | BigInt64Array>>;

export const onnxruntimeWeb: Peer = async (libraries) => {
  const name = "onnxruntime-web";
  const start = async () => {
    const [ort] = (await loadAll(libraries, [name])) as [Runtime];
    ort.env.wasm.numThreads = 1;
    return ort;
  };
  return create(name, "wasm", libraries, start);
};

export const onnxruntimeNode: Peer = (libraries) => {
  const name = "onnxruntime-node";
  return create(name, "cpu", libraries, async () => (await loadAll(libraries, [name]))[0] as Runtime);
};

async function create(name: string, provider: string, libraries: Libraries, start: () => Promise<Runtime>) {
  try {
    const ort = await start();
    const version = ort.env.versions.node ?? ort.env.versions.web ?? (await versionOf(libraries, name));
    return candidate({ name, arrays: "fresh", ...(version && { version }) }, formsOf(ort, provider));
  } catch (cause) {
    return skipped(name, cause);
  }
}

function formsOf(ort: Runtime, provider: string): Forms {
  const open = (graph: Graph, arrays: Arrays) => openGraph(ort, provider, graph, arrays);
  return {
    pairs: (inputs) => {
      if (inputs.lossType !== "sigmoid") return undefined;
      return open(pairsGraph(inputs), inputs.pairs);
    },
    rows: (inputs) => {
      const { desirable, ...arrays } = inputs.rows;
      const signed = Float32Array.from(desirable, (is) => (is ? -inputs.beta : inputs.beta));
      return open(rowsGraph(inputs), { ...arrays, signed });
    },
    logits: (inputs) => {
      const { logits, ids, g } = inputs;
      if (!(logits instanceof Float32Array)) return undefined;
      return open(logitsGraph(inputs), { logits, ids: BigInt64Array.from(ids, BigInt), g });
    },
    linear: (inputs) => {
      const { hidden, weight, ids, g } = inputs;
      return open(linearGraph(inputs), { hidden, weight, ids: BigInt64Array.from(ids, BigInt), g });
    },
  };
}

/** A session of a fixed shape. Its tensors wrap the arrays, which the library copies at every run. */
async function openGraph(ort: Runtime, provider: string, graph: Graph, arrays: Arrays): Promise<Opened> {
  const session = await ort.InferenceSession.create(encodeModel(graph), {
    executionProviders: [provider],
    graphOptimizationLevel: "all",
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  }).finally(restoreWorker);
  const feeds = Object.fromEntries(
    Object.entries(graph.inputs).map(([name, shape]) => {
      const array = arrays[name] as Float32Array | BigInt64Array;
      const tensor =
        array instanceof Float32Array
          ? new ort.Tensor("float32", array as Float32Array<ArrayBuffer>, shape)
          : new ort.Tensor("int64", array as BigInt64Array<ArrayBuffer>, shape);
      return [name, tensor];
    }),
  );
  const run = async () => {
    const results = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(results).map(([name, { data }]) => [
        name,
        name === "loss" ? Number(data[0]) : (data as Float32Array),
      ]),
    );
  };
  return repeatable(run, () => session.release());
}
