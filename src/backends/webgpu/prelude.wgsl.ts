// What every shader is built from: the entry point of one invocation per element, NaN told by its bits, reductions over a
// workgroup.

/** The index of a workgroup, from built-ins that the entry point names `group` and `groups`: dispatches have two dimensions. */
export const GROUP = "group.x + group.y * groups.x";

/** Workgroup size of shaders whose invocations share nothing. */
export const LANES = 64;

/** Workgroups of `LANES` for `count` elements. */
export const groupsOf = (count: number): number => Math.ceil(count / LANES);

/** Tests and writes NaN by its bits: WGSL leaves open what arithmetic and comparisons do with one. */
export const nanWgsl = /* wgsl */ `
const NAN_BITS: u32 = 0x7fc00000u;
const MINUS_INFINITY_BITS: u32 = 0xff800000u;
fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn is_zero(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) == 0u; }
fn bits_of(x: f32, nan: bool) -> u32 { return select(bitcast<u32>(x), NAN_BITS, nan); }
`;

/** The start of an entry point with one invocation for each `i` below `count`. */
export const eachWgsl = (count: string): string => /* wgsl */ `
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (${GROUP}) * ${LANES}u + lane;
  if (i >= ${count}) { return; }`;

/** Workgroup size of shaders that reduce. */
export const GROUP_LANES = 256;

interface Operation {
  readonly name: string;
  readonly type: string;
  readonly apply: (x: string, y: string) => string;
  readonly subgroup: string;
}

const operations: readonly Operation[] = [
  { name: "max", type: "f32", apply: (x, y) => `select(${x}, ${y}, ${y} > ${x})`, subgroup: "subgroupMax" },
  { name: "add", type: "vec4f", apply: (x, y) => `${x} + ${y}`, subgroup: "subgroupAdd" },
  { name: "least", type: "u32", apply: (x, y) => `min(${x}, ${y})`, subgroup: "subgroupMin" },
];

const plain = ({ name, type, apply }: Operation): string => /* wgsl */ `
var<workgroup> scratch_${name}: array<${type}, ${GROUP_LANES}>;
fn reduce_${name}(x: ${type}, lane: u32) -> ${type} {
  scratch_${name}[lane] = x;
  for (var reach = ${GROUP_LANES / 2}u; reach > 0u; reach /= 2u) {
    workgroupBarrier();
    if (lane < reach) { scratch_${name}[lane] = ${apply(`scratch_${name}[lane]`, `scratch_${name}[lane + reach]`)}; }
  }
  return workgroupUniformLoad(&scratch_${name}[0]);
}`;

// Subgroups reduce first, so that workgroup memory holds one value per subgroup. Their lanes are consecutive, as they are
// wherever a workgroup has one dimension.
const grouped = ({ name, type, apply, subgroup }: Operation): string => /* wgsl */ `
var<workgroup> scratch_${name}: array<${type}, ${GROUP_LANES}>;
fn reduce_${name}(x: ${type}, lane: u32) -> ${type} {
  let own = ${subgroup}(x);
  workgroupBarrier();
  if (lane % lanes == 0u) { scratch_${name}[lane / lanes] = own; }
  workgroupBarrier();
  var all = scratch_${name}[0];
  for (var k = 1u; k < ${GROUP_LANES}u / lanes; k++) { all = ${apply("all", `scratch_${name}[k]`)}; }
  return all;
}`;

/** Must come first in a shader that reduces. */
export const enableWgsl = (subgroups: boolean): string => (subgroups ? "enable subgroups;" : "");

/**
 * `reduce_max`, `reduce_add` (four sums at once) and `reduce_least` over a workgroup, in a fixed order; every lane gets the
 * result. The entry point must begin with the `setup` of `reduceEntry`.
 */
export const reduceWgsl = (subgroups: boolean): string =>
  subgroups ? `var<private> lanes: u32;\n${operations.map(grouped).join("\n")}` : operations.map(plain).join("\n");

/** The parameters of the entry point of a shader that reduces, and its first statement. */
export const reduceEntry = (subgroups: boolean): { parameters: string; setup: string } => ({
  parameters: `@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32${
    subgroups ? ", @builtin(subgroup_size) subgroup_lanes: u32" : ""
  }`,
  setup: subgroups ? "lanes = subgroup_lanes;" : "",
});
