// Cuts a kernel into passes over a block of pairs that stays in cache: loops one after another, of which each takes from memory what
// those before it kept.
//
// A processor has as many iterations of a loop in flight as its window of instructions holds, so a loop takes the longer the longer its
// chain of instructions is and the more of them there are: two loops with half of either take less than one. measured, ns per pair of a
// cached block on a busy machine, plain / relaxed, in one pass and in several: `sigmoid` 3.2 / 2.6 and 2.6 / 2.1, `kto` 2.8 / 2.3 and
// 2.2 / 1.9, `orpo` 9.5 / 7.3 and 6.5 / 5.1. No bit changes.

import { argsOf, type Expression } from "./expression.ts";
import type { Kernel } from "./kernel.ts";

export interface Pass {
  /** The steps of the kernel that it computes. */
  readonly steps: readonly Expression[];
  /** The inputs that it reads. */
  readonly inputs: ReadonlySet<Expression>;
  /** What it takes of earlier passes, and what it keeps for later ones. */
  readonly takes: readonly Expression[];
  readonly keeps: readonly Expression[];
  /** The outputs that it writes. */
  readonly writes: readonly number[];
}

// What assembly/scratch.ts has room for.
const MOST_KEPT = 32;

// As many quick operations as take less than a number's store and load, with the addresses of both.
const MOST_WORK = 3;

/** The passes of a kernel, one at least. */
export function passesOf({ outputs, writes, leaks, steps, names }: Kernel): Pass[] {
  const passOf = numbering();
  // An output that takes the loss's NaN is written where that is known.
  const writtenIn = outputs.map((node, k) => Math.max(passOf(node), leaks[k] ? passOf(outputs[0]) : 1));
  const last = Math.max(...writtenIn.filter((_, k) => writes[k]));

  // What pass `at` computes, reads and takes of others to have its roots.
  const needsOf = (at: number, roots: readonly Expression[]) => {
    const computed = new Set<Expression>();
    const inputs = new Set<Expression>();
    const takes = new Set<Expression>();
    const visit = (node: Expression, isTerm: boolean): void => {
      if (node.uniform || computed.has(node)) return;
      const isFused = isTerm && node.kind === "op" && node.op === "*" && !names.has(node);
      if (node.kind === "input") inputs.add(node);
      else if (passOf(node) < at && !isFused && !isCheap(node, names)) takes.add(node);
      else {
        computed.add(node);
        for (const arg of argsOf(node)) visit(arg, node.kind === "op" && node.op === "+");
      }
    };
    for (const root of roots) visit(root, false);
    // What is little work on numbers that are at hand is done here, in place of a store and a load.
    // measured: a twentieth of the time of most, a tenth with the first pass's room.
    const isHere = (node: Expression): boolean =>
      node.uniform || takes.has(node) || computed.has(node) || (node.kind === "input" && inputs.has(node));
    for (const node of [...takes]) {
      takes.delete(node);
      const work = workOf(node, isHere);
      if (work) for (const each of work) computed.add(each);
      else takes.add(node);
    }
    return { computed, inputs, takes: [...takes] };
  };

  const passes: Pass[] = [];
  const taken = new Set<Expression>();
  for (let at = last; at > 0; at--) {
    const written = writtenIn.flatMap((pass, k) => (writes[k] && pass === at ? [k] : []));
    const keeps = [...taken].filter((node) => passOf(node) === at);
    const loss = written.some((k) => leaks[k]) ? [outputs[0]] : [];
    const { computed, inputs, takes } = needsOf(at, [
      ...loss,
      ...written.map((k) => outputs[k] as Expression),
      ...keeps,
    ]);
    passes.unshift({ steps: steps.filter((node) => computed.has(node)), inputs, takes, keeps, writes: written });
    for (const node of takes) taken.add(node);
  }
  if (taken.size > MOST_KEPT)
    throw new Error(`expected passes that keep at most ${MOST_KEPT} numbers, got ${taken.size}`);
  return passes;
}

// Cycles of a chain that a pass may have: those of one elementary function and a little before or after it.
// measured: 58 and 76 are 1 to 8 % slower, whatever comes before a function being in one pass with it or not.
const LIMIT = 68;
// Those of the first pass, which has room for what comes before a function: it waits for memory, and computes while it waits.
// measured: sigmoid, 1e6 pairs from memory 2.75 -> 2.47 ns relaxed, 3.2 -> 2.8 plain, in cache the same.
const FIRST_LIMIT = 80;

/** The pass in which a node is computed: the first that has what it needs, and room in its chain. */
function numbering(): (node: Expression) => number {
  const known = new Map<Expression, readonly [pass: number, chain: number]>();
  const placeOf = (node: Expression): readonly [pass: number, chain: number] => {
    if (node.uniform) return [1, 0];
    const found = known.get(node);
    if (found) return found;
    const args = argsOf(node).map(placeOf);
    const pass = Math.max(1, ...args.map(([number]) => number));
    const chain = Math.max(0, ...args.map(([number, chain]) => (number === pass ? chain : 0)));
    const own = latencyOf(node);
    const limit = pass === 1 ? FIRST_LIMIT : LIMIT;
    const place = chain + own <= limit ? ([pass, chain + own] as const) : ([pass + 1, own] as const);
    known.set(node, place);
    return place;
  };
  return (node) => placeOf(node)[0];
}

function latencyOf(node: Expression): number {
  if (node.kind === "op") return node.op === "/" ? 13 : 4;
  if (node.kind !== "call") return node.kind === "input" ? 8 : 1;
  if (node.fn === "abs") return 1;
  return node.fn === "max" || node.fn === "min" ? 4 : 55;
}

/** The operations that make a node of numbers at hand, where they are few and quick. */
function workOf(node: Expression, isHere: (node: Expression) => boolean): Set<Expression> | undefined {
  const work = new Set<Expression>();
  const isQuick = (x: Expression): boolean => {
    if (isHere(x) || work.has(x)) return true;
    work.add(x);
    return x.kind !== "input" && latencyOf(x) <= 4 && work.size <= MOST_WORK && argsOf(x).every(isQuick);
  };
  return isQuick(node) ? work : undefined;
}

// One quick operation on one number that is at hand by its name, or is used for nothing else: no more than a load.
function isCheap(node: Expression, names: Kernel["names"]): boolean {
  const [x, ...others] = new Set(argsOf(node).filter(({ uniform }) => !uniform));
  if (!x || others.length > 0 || latencyOf(node) > 4) return false;
  return !names.has(node) || names.has(x) || x.kind === "input";
}
