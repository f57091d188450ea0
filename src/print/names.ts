// The names of constants and steps. Those that a definition gives stay, so that a kernel reads like it; they are the same in
// every target, so a name is free only if it is free in all.

import type { Expression, Graph } from "./expression.ts";

const words = (text: string): string[] => text.split(/\s+/);

/** What the text of every AssemblyScript kernel refers to. */
const assembly = words(
  `a c i n end rest zero nan loss constants value pc pr rc rr nw nl rm gc gr chosenLength rejectedLength rewardMargin
  f32x4 v128 usize tail_slot tail_open tail_close block stop kept kept_scratch KEPT_BYTES min to_loss to_gc to_gr
  exp_x4 expm1_x4 log_x4 log1p_x4 exp_neg_abs_x4 softplus_log_x4 neg_x4 madd_x4`,
);

/** Keywords and reserved words of WGSL (its §16), and what the text of every WGSL function refers to. */
const wgsl = words(
  `NULL Self abstract active alias alignas alignof as asm asm_fragment async attribute auto await become break case
  cast catch class co_await co_return co_yield coherent column_major common compile compile_fragment concept const
  const_assert const_cast consteval constexpr constinit continue continuing crate debugger decltype default delete
  demote demote_to_helper diagnostic discard do dynamic_cast else enable enum explicit export extends extern external
  fallthrough false filter final finally fn for friend from fxgroup get goto groupshared highp if impl implements
  import inline instanceof interface layout let loop lowp macro macro_rules match mediump meta mod module move mut
  mutable namespace new nil noexcept noinline nointerpolation non_coherent noncoherent noperspective null nullptr of
  operator override package packoffset partition pass patch pixelfragment precise precision premerge priv protected
  pub public readonly ref regardless register reinterpret_cast require requires resource restrict return self set
  shared sizeof smooth snorm static static_assert static_cast std struct subroutine super switch target template this
  thread_local throw trait true try type typedef typeid typename typeof union unless unorm unsafe unsized use using
  var varying virtual volatile wgsl where while with writeonly yield
  k select vec3f f32 array abs exp_f32 expm1 log_f32 log1p exp_neg_abs softplus_log max min`,
);

/** Names for constants, which are read by place in WGSL: only AssemblyScript has to bear them. */
export const nameConstants = (constants: readonly Expression[], graph: Graph): Map<Expression, string> =>
  claimed(
    constants,
    new Set(assembly),
    (node) => graph.nameOf(node) ?? (node.kind === "number" ? (numberNames[node.value] ?? "k") : "k"),
  );

/** Names for steps beside those of the constants. */
export const nameSteps = (
  steps: readonly Expression[],
  graph: Graph,
  constants: ReadonlyMap<Expression, string>,
): Map<Expression, string> =>
  claimed(
    steps,
    new Set([...assembly, ...wgsl, ...constants.values()]),
    (node) => graph.nameOf(node) ?? (node.uniform ? "when" : "t"),
  );

const numberNames: Readonly<Record<number, string>> = { 0.5: "half", 1: "one", 2: "two" };

function claimed(
  nodes: readonly Expression[],
  taken: Set<string>,
  wanted: (node: Expression) => string,
): Map<Expression, string> {
  return new Map(
    nodes.map((node) => {
      const name = wanted(node);
      let free = name;
      for (let i = 1; taken.has(free); i++) free = `${name}${i}`;
      taken.add(free);
      return [node, free];
    }),
  );
}
