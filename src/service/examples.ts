// A request of each call, for the OpenAPI document: small enough to read, and it works.

const two = { policyChosen: [-12.1, -30.5], policyRejected: [-14.8, -28.9] };
const rows = { policy: [-12.1, -28.9], reference: [-12.9, -29.6], desirable: [1, 0] };

// Two completions of one and two tokens, over a vocabulary of three ids.
const packed = { offsets: [0, 1, 3], targets: [2, 0, 1] };
const logits = { tokens: { pairs: 1, ...packed }, vocab: 3, logits: [0.5, -1, 2, 0, 0, 1, 0.25, -0.5, 0] };
const head = {
  tokens: { pairs: 1, ...packed },
  ...{ vocab: 3, hiddenSize: 2, hidden: [0.5, -1, 1, 0, 0.25, 2], weight: [1, 0, 0, 1, -1, 0.5] },
};
const reference = { logps: [-0.5, -2] };

export const examples = {
  pairLoss: {
    ...{ ...two, referenceChosen: [-12.9, -30.1], referenceRejected: [-14.2, -29.6] },
    ...{ lossType: "sigmoid", beta: 0.1 },
  },
  unpairedLoss: { ...rows, klPolicy: [-20, -21.5], klReference: [-20.5, -21.25], lossType: "kto" },
  sequenceLogps: { ...logits, entropy: true },
  sequenceLogpsGrad: { ...logits, gradients: { logps: [1, -1] } },
  logitsLoss: { ...logits, reference, lossType: "ipo" },
  linearLoss: { ...head, reference, lossType: ["sigmoid", "hinge"], lossWeights: [0.7, 0.3] },
} as const;
