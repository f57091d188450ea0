// Two pairs as a padded batch of four rows, the chosen completions first, for the model in tiny.onnx: 32 tokens, 8 dimensions.

import { collate } from "../../dist/index.js";

export const vocab = 32;

export const tokens = collate([
  { prompt: [1, 5, 9], chosen: [7, 8, 2], rejected: [11, 2] },
  { prompt: [1, 14], chosen: [21, 22, 23, 2], rejected: [30, 31, 2] },
]);

export const reference = { logps: Float64Array.of(-11, -14, -7, -10) };
