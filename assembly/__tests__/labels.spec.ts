import { labels_f32 } from "../labels";
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
