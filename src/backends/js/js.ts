// The backend that is the definitions themselves, in float64: for places where WebAssembly may not run, and as reference.

import { bindNow } from "../../calls/bind.ts";
import { computePairs } from "../../cpu/evaluate.ts";
import { shardsInOrder } from "../../cpu/head.ts";
import { eachRow } from "../../cpu/rows.ts";
import { scanValues } from "../../inputs/columns.ts";
import { plainArrays } from "../../inputs/element-types.ts";
import type { Backend } from "../../types.ts";
import { jsLinearShards } from "./head.ts";
import { createJsRows } from "./rows.ts";

/**
 * A backend in plain JavaScript: no WebAssembly, no workers, any content policy. Computes in float64.
 *
 * @example  import { createJs } from "dpo-kernels";
 *           const js = createJs();
 *           const pairs = { policyChosen: Float32Array.of(-12.1), policyRejected: Float32Array.of(-14.8) };
 *           const { loss, gradChosen } = js.pairLoss(pairs, { lossType: "hinge", referenceFree: true });
 */
export function createJs(): Backend {
  const engine = {
    pairs: { compute: computePairs, scan: scanValues },
    logits: eachRow(createJsRows()),
    head: shardsInOrder(jsLinearShards),
  };
  return {
    name: "js",
    reason: "plain JavaScript in this thread, float64; needs no WebAssembly",
    ...bindNow(engine, plainArrays()),
  };
}
