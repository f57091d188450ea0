import { defineLoss } from "./define.ts";
import { softplusLog } from "./math.ts";
import { beta } from "./params.ts";

/**
 * Odds-ratio preference optimization: β·softplus(−o), o = log(odds of chosen / odds of rejected), odds p/(1−p), p = e to the mean
 * log-prob of a token; a and c are those means.
 *
 * With q = 1 − p by expm1, e^−o = e^(c−a)·q_a/q_c, and softplus(−o) is the log of 1 and that: of whichever of both factors is not
 * more than 1, since the other, e^(c−a) where c > a, is taken out as c − a. The slopes are −β·σ(−o)/q_a and β·σ(−o)/q_c, written so that
 * no ∞ meets a 0: a chosen completion that is certain has a finite one. The test of signs makes a positive log-prob, which no probability
 * has, NaN; quotients by −0 lose theirs.
 * Note      Needs lengths; no reference. β (the paper's λ) multiplies the loss, not the odds. TRL adds the chosen rows' NLL, prompt
 *           included, with weight 1: so do calls that see tokens, unless `nll: false`.
 * Paper     Hong et al. 2024, arXiv:2403.07691, eq. 6
 */
export const orpo = defineLoss({
  id: "orpo",
  title: "log-odds ratio of the mean log-probs: ORPO",
  params: { beta },
  reference: false,
  nll: "row",
  normalised: true,
  pair: (a, c, beta) => {
    const d = a - c;
    const chosenRest = -Math.expm1(a);
    const rejectedRest = -Math.expm1(c);
    const quotient = Math.abs(chosenRest / rejectedRest);
    const fall = Math.exp(-Math.abs(d));
    const odds = d >= 0 ? fall * quotient : quotient + (fall - 1);
    const loss = softplusLog(Math.min(chosenRest, rejectedRest) < 0 ? -1 : odds) - Math.min(d, 0);
    const rejected = d >= 0 ? fall : 1;
    const share = rejected / ((d >= 0 ? 1 : fall) * rejectedRest + rejected * chosenRest);
    return [beta * loss, -beta * share, beta * (share * quotient)];
  },
});
