class Pair {
  constructor(
    public first: i32,
    public second: f32,
  ) {}
}

describe("as-pect", () => {
  throws("fails where an expectation fails", () => {
    expect<i32>(1).toBe(2);
  });

  it("negates", () => {
    expect<i32>(1).not.toBe(2);
  });

  it("compares the fields of classes", () => {
    expect(new Pair(1, 2)).toStrictEqual(new Pair(1, 2));
    expect(new Pair(1, 2)).not.toStrictEqual(new Pair(1, 3));
  });
});
