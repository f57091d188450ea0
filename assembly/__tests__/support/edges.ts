// The four edges of a kernel that takes four elements at a time and the rest apart, each a test of its own.

let check: (n: usize) => void = (n) => {};

/** In a group's `beforeAll`: what to call with each size. */
export function check_edges(f: (n: usize) => void): void {
  check = f;
}

export function edges(): void {
  it("holds for n = 4", () => {
    check(4);
  });
  it("holds for n a multiple of 4", () => {
    for (let n: usize = 8; n <= 64; n += 4) check(n);
  });
  it("holds for n < 4", () => {
    for (let n: usize = 0; n < 4; n++) check(n);
  });
  it("holds for n > 4 and not a multiple of 4", () => {
    for (let n: usize = 5; n < 64; n++) if (n & 3) check(n);
  });
}
