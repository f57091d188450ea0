// The table of losses: TRL's name -> definition.

import { aot } from "./aot.ts";
import { aotUnpaired } from "./aot-unpaired.ts";
import { apoDown } from "./apo-down.ts";
import { apoZero } from "./apo-zero.ts";
import { apoZeroUnpaired } from "./apo-zero-unpaired.ts";
import { bco } from "./bco.ts";
import { bcoPair } from "./bco-pair.ts";
import { cpoHinge } from "./cpo-hinge.ts";
import { cpoIpo } from "./cpo-ipo.ts";
import { cpoSigmoid } from "./cpo-sigmoid.ts";
import { recordOfLoss } from "./define.ts";
import { discopop } from "./discopop.ts";
import { dpop } from "./dpop.ts";
import { exoPair } from "./exo-pair.ts";
import { hinge } from "./hinge.ts";
import { ipo } from "./ipo.ts";
import type { LossRecord } from "./kinds.ts";
import { kto } from "./kto.ts";
import type { Loss } from "./loss.ts";
import { ncaPair } from "./nca-pair.ts";
import { orpo } from "./orpo.ts";
import { robust } from "./robust.ts";
import { rpoBwdKl } from "./rpo-bwd-kl.ts";
import { rpoFwdKl } from "./rpo-fwd-kl.ts";
import { rpoSq } from "./rpo-sq.ts";
import { sft } from "./sft.ts";
import { sigmoidLoss } from "./sigmoid.ts";
import { sigmoidNorm } from "./sigmoid-norm.ts";
import { simpo } from "./simpo.ts";
import { sppoHard } from "./sppo-hard.ts";

/** Every loss, by TRL's name, with its title, hyperparameters and formula. */
export const losses = {
  sigmoid: sigmoidLoss,
  sigmoid_norm: sigmoidNorm,
  hinge,
  ipo,
  exo_pair: exoPair,
  nca_pair: ncaPair,
  robust,
  bco_pair: bcoPair,
  sppo_hard: sppoHard,
  aot,
  aot_unpaired: aotUnpaired,
  apo_zero: apoZero,
  apo_down: apoDown,
  discopop,
  dpop,
  rpo_sq: rpoSq,
  rpo_bwd_kl: rpoBwdKl,
  rpo_fwd_kl: rpoFwdKl,
  cpo_sigmoid: cpoSigmoid,
  cpo_hinge: cpoHinge,
  cpo_ipo: cpoIpo,
  simpo,
  orpo,
  sft,
  kto,
  apo_zero_unpaired: apoZeroUnpaired,
  bco,
} as const satisfies Readonly<Record<string, Loss>>;

export type LossType = keyof typeof losses;

/** The names of all losses. */
export const lossTypes = Object.keys(losses) as readonly LossType[];

/** The records of all losses, by name. */
export const lossTable = Object.fromEntries(lossTypes.map((id) => [id, recordOfLoss(losses[id])])) as Readonly<
  Record<LossType, LossRecord>
>;
