// Which of the modules this engine takes. Apart from src/kernels/load.ts, which comes with the first backend that needs it: an entry
// asks before that.

// (func (param v128) (result v128) local.get 0 local.get 0 local.get 0 f32x4.relaxed_madd), and the same with f32x4.add.
const probeStart = [0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 123, 1, 123, 3, 2, 1, 0];
const relaxedProbe = [10, 13, 1, 11, 0, 32, 0, 32, 0, 32, 0, 253, 133, 2, 11];
const simdProbe = [10, 11, 1, 9, 0, 32, 0, 32, 0, 253, 228, 1, 11];

const accepts = (body: readonly number[]): boolean =>
  typeof WebAssembly === "object" && WebAssembly.validate(new Uint8Array([...probeStart, ...body]));

/** Whether this engine has fixed-width SIMD. */
export const hasSimd = (): boolean => accepts(simdProbe);

/** Whether this engine has relaxed SIMD. */
export const hasRelaxedSimd = (): boolean => accepts(relaxedProbe);
