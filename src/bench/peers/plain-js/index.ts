// What one would write without a library: fused loops over Float32Arrays, in float64, without allocation.

import { candidate, type Peer } from "../peer.ts";
import { linear } from "./linear.ts";
import { logits } from "./logits.ts";
import { optimiser } from "./optimiser.ts";
import { pairs, rows } from "./pairs.ts";

export const plainJs: Peer = async () =>
  candidate({ name: "plain-js", arrays: "own" }, { pairs, rows, logits, linear, optimiser });
