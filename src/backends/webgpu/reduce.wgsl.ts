// Reductions over a workgroup. Subgroups reduce first where there are any, so that two barriers do in place of eight, and
// workgroup memory holds one value per subgroup.

/** Workgroup size of shaders that reduce. */
export const GROUP_LANES = 256;

/**
 * How a workgroup reduces: without subgroups; with them, numbered by the built-in `subgroup_id`; or numbered here. WGSL promises
 * nothing of which lanes are a subgroup (gpuweb#4963: on Intel they may be columns), nor that all are full.
 */
export type Reduction = "plain" | "numbered" | "subgroup_id";

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

const grouped = ({ name, type, apply, subgroup }: Operation): string => /* wgsl */ `
var<workgroup> scratch_${name}: array<${type}, ${GROUP_LANES}>;
fn reduce_${name}(x: ${type}, lane: u32) -> ${type} {
  let own = ${subgroup}(x);
  workgroupBarrier();
  if (leads) { scratch_${name}[subgroup] = own; }
  workgroupBarrier();
  var all = scratch_${name}[0];
  for (var k = 1u; k < subgroups; k++) { all = ${apply("all", `scratch_${name}[k]`)}; }
  return all;
}`;

// A subgroup leads with the least of its lanes, and is numbered by how many leaders are below: the same at every run, as sums
// in a fixed order must be.
const numbering = /* wgsl */ `
var<workgroup> leaders: array<atomic<u32>, ${GROUP_LANES / 32}>;
fn number_subgroups(lane: u32) {
  let leader = subgroupMin(lane);
  leads = lane == leader;
  if (leads) { atomicOr(&leaders[lane / 32u], 1u << (lane % 32u)); }
  workgroupBarrier();
  subgroup = 0u;
  subgroups = 0u;
  for (var k = 0u; k < ${GROUP_LANES / 32}u; k++) {
    let bits = atomicLoad(&leaders[k]);
    subgroups += countOneBits(bits);
    if (k < leader / 32u) { subgroup += countOneBits(bits); }
    if (k == leader / 32u) { subgroup += countOneBits(bits & ((1u << (leader % 32u)) - 1u)); }
  }
}`;

const variables = /* wgsl */ `
var<private> leads: bool;
var<private> subgroup: u32;
var<private> subgroups: u32;`;

/** What a shader that reduces is made of. */
export interface ReductionWgsl {
  /** Must come first in the shader. */
  readonly directives: string;
  /**
   * `reduce_max`, `reduce_add` (four sums at once) and `reduce_least` over a workgroup, in a fixed order; every lane gets the
   * result.
   */
  readonly functions: string;
  /** The parameters of the entry point. */
  readonly parameters: string;
  /** The first statements of the entry point. */
  readonly setup: string;
}

const parameters =
  "@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32";

const withSubgroups = variables + operations.map(grouped).join("\n");

export const reductionWgsl: Readonly<Record<Reduction, ReductionWgsl>> = {
  plain: { directives: "", functions: operations.map(plain).join("\n"), parameters, setup: "" },
  numbered: {
    directives: "enable subgroups;",
    functions: withSubgroups + numbering,
    parameters,
    setup: "number_subgroups(lane);",
  },
  subgroup_id: {
    directives: "enable subgroups; requires subgroup_id;",
    functions: withSubgroups,
    parameters: `${parameters}, @builtin(subgroup_id) own_subgroup: u32, @builtin(num_subgroups) all_subgroups: u32, @builtin(subgroup_invocation_id) own_lane: u32`,
    setup: "leads = own_lane == 0u; subgroup = own_subgroup; subgroups = all_subgroups;",
  },
};
