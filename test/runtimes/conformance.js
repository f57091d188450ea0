// A few calls that every place is to answer with the same numbers: test/runtimes/support/conformance.ts has them.

const f32 = (...values) => Float32Array.from(values);

const pairs = {
  policyChosen: f32(-12.1, -30.5),
  policyRejected: f32(-14.8, -28.9),
  referenceChosen: f32(-12.9, -30.1),
  referenceRejected: f32(-14.2, -29.6),
};

const tokens = {
  pairs: 1,
  length: 3,
  inputIds: Int32Array.of(1, 2, 3, 1, 3, 2),
  completionMask: Uint8Array.of(0, 1, 1, 0, 1, 1),
};

/** As much as a pool takes to its workers. */
function large() {
  const [rows, vocab] = [64, 32_000];
  const packed = { pairs: 1, offsets: Int32Array.of(0, rows / 2, rows), targets: new Int32Array(rows) };
  return {
    tokens: packed,
    vocab,
    logits: new Float32Array(rows * vocab),
    reference: { logps: new Float64Array(2) },
  };
}

const errorOf = async (call) => {
  try {
    return await call();
  } catch ({ name, code, message }) {
    return { name, code, message };
  }
};

/** What a backend gives, as JSON holds it. */
export async function conformance(create) {
  const backend = await create();
  const { loss, gradChosen, gradRejected, metrics } = await backend.pairLoss(pairs, { lossType: "sigmoid", beta: 0.1 });
  const logits = Float32Array.from({ length: 24 }, (_, i) => Math.sin(i));
  const batch = { tokens, vocab: 4, logits, reference: { logps: Float64Array.of(-2, -3) } };
  const { logps } = await backend.sequenceLogps(batch);
  const ofLogits = await backend.logitsLoss(batch, { lossType: "ipo" });
  const big = await backend.logitsLoss(large());
  const refused = await errorOf(() => backend.pairLoss({ ...pairs, policyChosen: f32(-1) }));
  const { name, reason } = backend;
  await backend.dispose();
  const disposed = await errorOf(() => backend.pairLoss(pairs));
  return {
    name,
    reason,
    loss,
    gradChosen: [...gradChosen],
    gradRejected: [...gradRejected],
    accuracy: metrics["rewards/accuracies"],
    logps: [...logps],
    logitsLoss: ofLogits.loss,
    gradLogits: [...ofLogits.gradLogits],
    large: big.loss,
    refused,
    disposed: disposed.code,
  };
}

export { errorOf };
