import { madd_x4 } from "../inline/madd";
class P { constructor(public a: i32, public b: i32) {} }
function reg(): void { it("from helper", () => { expect<i32>(3).toBe(3); }); }
describe("x", () => {
  reg();
  it("works", () => { expect<i32>(1).toBe(1); });
  it("eq", () => { expect(new P(1, 2)).toStrictEqual(new P(1, 2)); expect(new P(1, 2)).not.toStrictEqual(new P(1, 3)); });
  throws("a failing expectation fails", () => { expect<i32>(1).toBe(2); });
  it("relaxed?", () => { expect<bool>(ASC_FEATURE_RELAXED_SIMD).toBe(true); });
  it("relaxed2?", () => { const a = f32x4.splat(1.0000001); const y = madd_x4(a, a, f32x4.splat(-1.0000002)); expect<f32>(f32x4.extract_lane(y, 0)).toBe(0); });
});
