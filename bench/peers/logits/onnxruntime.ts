import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-web";
import { formNames, model } from "./onnx-graphs.ts";
import type { Answer, Input, Library, Peer } from "./peer.ts";

/** What onnxruntime-web and onnxruntime-node have in common. */
interface Runtime {
  InferenceSession: { create(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession> };
  Tensor: TensorConstructor;
}

/** Graphs of fixed shape on the `wasm` execution provider: SIMD, one thread unless told otherwise, once for the process. */
export async function createWeb(input: Input, threads = 1): Promise<Library> {
  const ort = await import("onnxruntime-web");
  ort.env.wasm.numThreads = threads;
  const library = await create("onnxruntime-web", ort, "wasm", input);
  // It leaves a global Worker behind under Node, from which jax-js concludes that it has threads, and fails.
  Reflect.deleteProperty(globalThis, "Worker");
  return library;
}

/** The same graphs on the native library, one thread; no peers where its binary is not installed. */
export async function createNative(input: Input): Promise<Library> {
  try {
    const ort = await import("onnxruntime-node");
    return {
      ...(await create("onnxruntime-node (native)", ort, "cpu", input)),
      versions: { "onnxruntime-node": ort.env.versions.node ?? "" },
    };
  } catch (cause) {
    console.log(`onnxruntime-node is left out: ${cause instanceof Error ? cause.message : cause}\n`);
    return { peers: [] };
  }
}

async function create(
  name: string,
  ort: Runtime,
  provider: string,
  { rows, vocab, logits, ids, g }: Input,
): Promise<Library> {
  const inputs: Record<string, Tensor> = {
    logits: new ort.Tensor("float32", logits, [rows, vocab]),
    ids: new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [rows, 1]),
    g: new ort.Tensor("float32", g, [rows, 1]),
  };
  const sessions: InferenceSession[] = [];
  const pass = async (form: string, which: "forward" | "backward" | "both") => {
    const session = await ort.InferenceSession.create(model(form, which, rows, vocab), {
      executionProviders: [provider],
      graphOptimizationLevel: "all",
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
    });
    sessions.push(session);
    const feeds = Object.fromEntries(session.inputNames.map((input) => [input, inputs[input] as Tensor]));
    return async (): Promise<Answer> => {
      const { logps, gradient } = await session.run(feeds);
      return { logps: logps?.data as Float32Array, gradient: gradient?.data as Float32Array };
    };
  };
  const peers: Peer[] = [];
  for (const form of formNames) {
    peers.push({
      name: `${name}, ${form}`,
      forward: await pass(form, "forward"),
      backward: await pass(form, "backward"),
      both: await pass(form, "both"),
    });
  }
  return { peers, close: () => Promise.all(sessions.map((session) => session.release())) };
}
