// What every shader is built from: the entry point of one invocation per element, NaN told by its bits.

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
