// Loads or stores a whole vector or a single element, so that a kernel states its formula once for vectors and remainder.
//   one = false   [x0, x1, x2, x3]
//   one = true    [x0, 0, 0, 0], and only lane 0 is stored

// @ts-ignore: decorator
@inline
export function load_part(at: usize, one: bool): v128 {
  return one ? v128.load32_zero(at) : v128.load(at);
}

// @ts-ignore: decorator
@inline
export function store_part(at: usize, x: v128, one: bool): void {
  if (one) v128.store_lane<f32>(at, x, 0);
  else v128.store(at, x);
}
