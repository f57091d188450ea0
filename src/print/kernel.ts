// From a definition to what its kernel computes: constants, steps, three outputs. What all printers start from.

import { type LossRecord, pairColumns } from "../losses/kinds.ts";
import {
  argsOf,
  carriesNaN,
  createGraph,
  type Expression,
  type Graph,
  isNumber,
  isTest,
  scaled,
} from "./expression.ts";
import { nameConstants, nameSteps } from "./names.ts";
import { parseFunction } from "./parse.ts";
import { type Definition, lossFunction, refuse, type Source } from "./source.ts";

type Three = readonly [Expression, Expression, Expression];

export interface Kernel {
  readonly name: string;
  /** The file of the definition. */
  readonly file: string;
  readonly title: string;
  /** The columns that it reads beside log-probs, by the names that formulas have for them. */
  readonly reads: readonly string[];
  readonly params: readonly string[];
  /** Expressions of hyperparameters and numbers, computed by the host in float64 and rounded once. */
  readonly constants: readonly Expression[];
  /** What is computed more than once or has a name: in an order in which each comes after what it uses. */
  readonly steps: readonly Expression[];
  readonly outputs: Three;
  /** Which outputs it writes: rows have one derivative, and what is logged may be one number or two. */
  readonly writes: readonly [boolean, boolean, boolean];
  /** Which outputs a NaN input, or loss, might leave finite, so that the kernel has to make them NaN as well. */
  readonly leaks: readonly [boolean, boolean, boolean];
  /** The name of each constant and step, the same in every target. */
  readonly names: ReadonlyMap<Expression, string>;
  /** Vectors of four pairs that a turn of its loops takes in AssemblyScript. */
  readonly vectors: 1 | 2;
}

/** A kernel of a loss for what most calls ask: some of its hyperparameters are numbers, and do not count. */
export interface Variant {
  /** What its name ends in. */
  readonly name: string;
  readonly fixed: Readonly<Record<string, number>>;
}

/**
 * The kernel of the loss that `source` defines: loss, and dLoss/da, dLoss/dc times `gradScale`, its first hyperparameter.
 * `perToken` is the margin of normalised losses.
 */
export function lossKernel(
  loss: Pick<LossRecord, "id" | "title" | "params" | "kind" | "perToken" | "columns">,
  source: Source,
  perToken: Definition,
  variant?: Variant,
): Kernel {
  const definition = lossFunction(source, loss.id, loss.kind);
  const graph = createGraph();
  const [a, c] = [graph.input("a"), graph.input("c")];
  const names = Object.keys(loss.params);
  const fixed = new Map(Object.entries(variant?.fixed ?? {}));
  const params = names.map((name) => {
    const value = fixed.get(name);
    return value === undefined ? graph.param(name) : graph.number(value);
  });
  const margin = loss.perToken ? perToken : undefined;
  const given = [...ownArguments(loss).map(graph.input), ...params];
  const formula = (inputs: readonly Expression[]): Three =>
    three(definition, parseFunction(definition, graph, [...inputs, ...given]));
  const [value, da, dc] =
    loss.kind === "pair"
      ? margin
        ? ofMeans(graph, marginOf(graph, a, c, margin), [a, c], formula)
        : formula([a, c])
      : loss.kind === "row"
        ? [...two(definition, parseFunction(definition, graph, [a, c, ...given])), graph.number(0)]
        : throughMargin(definition, graph, marginOf(graph, a, c, margin), given);
  // A row's label, which has no gradient, is a number always.
  const nanInputs = [...(loss.kind === "row" ? [a] : [a, c]), ...ownArguments(loss).map(graph.input)];
  for (const input of nanInputs) {
    if (carriesNaN(value, input)) continue;
    refuse(
      definition.source,
      definition.fn,
      `expected a loss that is NaN where ${graph.nameOf(input)} is, got one that is not`,
    );
  }
  const gradScale = graph.param("gradScale");
  const isRow = loss.kind === "row";
  const outputs = [value, scaled(graph, gradScale, da), isRow ? dc : scaled(graph, gradScale, dc)] as const;
  for (const [output, name] of [
    [outputs[1], "chosenScale"],
    [outputs[2], "rejectedScale"],
  ] as const) {
    const [scale] = argsOf(output);
    if (scale?.uniform) graph.named(scale, name);
  }
  return {
    ...kernelOf(graph, outputs, [true, true, !isRow], nanInputs, hasDomain(value)),
    name: `pair_${loss.id}${variant ? `_${variant.name}` : ""}`,
    file: definition.source.file,
    title: loss.title,
    reads: [...(loss.perToken ? lengths : []), ...ownArguments(loss)],
    params: ["gradScale", ...names],
    // measured: two vectors take 4 to 8 % off the time of most kernels, but 7 KB of gzip for all of them.
    vectors: variant ? 2 : 1,
  };
}

const lengths = pairColumns.flatMap((column) => (column.of === "lengths" ? [column.argument] : []));

const ownArguments = ({ columns }: Pick<LossRecord, "columns">): string[] =>
  pairColumns.flatMap((column) => (column.of === "own" && columns.includes(column.name) ? [column.argument] : []));

/**
 * The kernel of an f-divergence: margin and its two derivatives, unscaled. With `perToken`, the margin of normalised losses, it is
 * that of log-ratios per token.
 */
export function marginKernel(
  name: string,
  definition: Definition,
  params: readonly string[],
  perToken?: Definition,
): Kernel {
  const graph = createGraph();
  const [a, c] = [graph.input("a"), graph.input("c")];
  const given = params.map(graph.param);
  const scored = (inputs: readonly Expression[]): Three =>
    three(definition, parseFunction(definition, graph, [...inputs, ...given]));
  const one = graph.number(1);
  const outputs = perToken
    ? ofMeans(graph, marginOf(graph, a, c, perToken), [a, c], (means) => scored([...means, one, one]))
    : scored([a, c, ...lengths.map(graph.input)]);
  return {
    ...kernelOf(graph, outputs, [isWritten(outputs[0]), isWritten(outputs[1]), isWritten(outputs[2])], []),
    name: `margin_${name}`,
    file: definition.source.file,
    title: "",
    reads: lengths.filter((name) => outputs.some((output) => readsInput(output, name))),
    params,
    vectors: 1,
  };
}

const readsInput = (node: Expression, name: string): boolean =>
  (node.kind === "input" && node.name === name) || argsOf(node).some((arg) => readsInput(arg, name));

const isWritten = (output: Expression): boolean => !isNumber(output, 0);

/** What `compute` makes of log-ratios per token; `margin` is that of normalised losses, whose derivatives are the factors. */
function ofMeans(
  graph: Graph,
  [, perChosen, rest]: Three,
  [a, c]: readonly [Expression, Expression],
  compute: (means: readonly Expression[]) => Three,
): Three {
  const times = (x: Expression, y: Expression): Expression => graph.op("*", x, y);
  const perRejected = graph.neg(rest);
  const [value, da, dc] = compute([times(a, perChosen), times(c, perRejected)]);
  return [value, times(da, perChosen), times(dc, perRejected)];
}

/** d, dd/da, dd/dc: the difference of the log-ratios, or what `definition` makes of them and the lengths. */
function marginOf(graph: Graph, a: Expression, c: Expression, definition: Definition | undefined): Three {
  if (!definition) return [graph.op("-", a, c), graph.number(1), graph.number(-1)];
  return three(definition, parseFunction(definition, graph, [a, c, ...lengths.map(graph.input)]));
}

function throughMargin(definition: Definition, graph: Graph, [d, da, dc]: Three, params: Expression[]): Three {
  const [value, slope] = two(definition, parseFunction(definition, graph, [graph.named(d, "d"), ...params]));
  return [value, graph.op("*", slope, da), graph.op("*", slope, dc)];
}

function two({ source, fn }: Definition, [x, y, ...rest]: readonly Expression[]): readonly [Expression, Expression] {
  return x && y && rest.length === 0 ? [x, y] : refuse(source, fn, "expected [loss, slope]");
}

function three({ source, fn }: Definition, [x, y, z, ...rest]: readonly Expression[]): Three {
  return x && y && z && rest.length === 0 ? [x, y, z] : refuse(source, fn, "expected three results");
}

// Whether numbers may make it NaN.
const hasDomain = (node: Expression): boolean =>
  (node.kind === "call" && (node.fn === "log" || node.fn === "softplusLog") && !node.uniform) ||
  argsOf(node).some(hasDomain);

function kernelOf(
  graph: Graph,
  outputs: Three,
  writes: Kernel["writes"],
  nanInputs: readonly Expression[],
  leaksAlways = false,
) {
  const uses = new Map<Expression, number>();
  const constants: Expression[] = [];
  const order: Expression[] = [];
  const visit = (node: Expression): void => {
    const seen = uses.get(node) ?? 0;
    uses.set(node, seen + 1);
    if (seen > 0) return;
    if (node.uniform && !isTest(node)) {
      if (!isNumber(node, 0)) constants.push(node);
      return;
    }
    argsOf(node).forEach(visit);
    order.push(node);
  };
  outputs.forEach(visit);
  // A test of hyperparameters alone is a step as well: it stands before the loop.
  const isStep = (node: Expression): boolean =>
    node.kind !== "input" && (graph.nameOf(node) !== undefined || (uses.get(node) ?? 0) > 1 || node.uniform);
  const steps = order.filter(isStep);
  const leak = (output: Expression): boolean => leaksAlways || nanInputs.some((input) => !carriesNaN(output, input));
  const leaks = [false, leak(outputs[1]), writes[2] && leak(outputs[2])] as const;
  const constantNames = nameConstants(constants, graph);
  const names = new Map([...constantNames, ...nameSteps(steps, graph, constantNames)]);
  return { constants, steps, outputs, writes, leaks, names };
}
