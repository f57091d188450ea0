// Reductions over a workgroup of 256, in a fixed order; every lane gets the result. With subgroups a lane asks its
// neighbours first, and the workgroup's memory sees one number of each subgroup.

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

// Lanes of a subgroup stand next to each other in the workgroup, as wherever workgroups are one row of lanes.
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

/** What comes before all else in a shader that reduces. */
export const enableWgsl = (subgroups: boolean): string => (subgroups ? "enable subgroups;" : "");

/** `reduce_max`, `reduce_add` (of four sums at once), `reduce_least`; `setup` comes first in the entry. */
export const reduceWgsl = (subgroups: boolean): string =>
  subgroups ? `var<private> lanes: u32;\n${operations.map(grouped).join("\n")}` : operations.map(plain).join("\n");

/** The entry's parameters, and its first statement. */
export const reduceEntry = (subgroups: boolean): { parameters: string; setup: string } => ({
  parameters: `@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32${
    subgroups ? ", @builtin(subgroup_size) subgroup_lanes: u32" : ""
  }`,
  setup: subgroups ? "lanes = subgroup_lanes;" : "",
});
