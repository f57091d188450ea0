import { labels_f32, lengths_f32 } from "../labels";
import { floats, get, guards_hold } from "./support/buffers";
import { check_edges, edges } from "./support/edges";

function check(n: usize): void {
  const labels = heap.alloc(n + 3) + 3; // of any alignment
  for (let i: usize = 0; i < n; i++) store<u8>(labels + i, <u8>((i * 7) % 3 == 0));
  const out = floats(n);
  labels_f32(labels, out, n);
  for (let i: usize = 0; i < n; i++) expect(get(out, i)).toBe((i * 7) % 3 == 0 ? 1 : 0);
  expect(guards_hold(out, n)).toBe(true);
}

describe("labels_f32", () => {
  beforeAll(() => {
    check_edges(check);
  });
  edges();
});

function check_lengths(n: usize): void {
  const lengths = heap.alloc(4 * n);
  for (let i: usize = 0; i < n; i++) store<i32>(lengths + 4 * i, i % 5 == 0 ? i32.MAX_VALUE - <i32>i : <i32>(i * 7));
  const out = floats(n);
  lengths_f32(lengths, out, n);
  for (let i: usize = 0; i < n; i++) expect(get(out, i)).toBe(<f32>load<i32>(lengths + 4 * i));
  expect(guards_hold(out, n)).toBe(true);
  lengths_f32(lengths, lengths, n);
  for (let i: usize = 0; i < n; i++) expect(get(lengths, i)).toBe(get(out, i));
}

describe("lengths_f32, in place too", () => {
  beforeAll(() => {
    check_edges(check_lengths);
  });
  edges();
});
