// Made-up logits of 4 pairs, 32 tokens each, over a vocabulary of 32,000: chosen tokens are a little more likely than others.

/** `make` gives the array for so many floats. */
export function makeBatch(make = (n) => new Float32Array(n)) {
  const [pairs, tokens, vocab] = [4, 32, 32_000];
  const rows = 2 * pairs * tokens;
  const offsets = Int32Array.from({ length: 2 * pairs + 1 }, (_, row) => row * tokens);
  const targets = Int32Array.from({ length: rows }, (_, row) => (row * 7919) % vocab);
  const logits = make(rows * vocab);
  for (let i = 0; i < logits.length; i++) logits[i] = Math.sin(i);
  // Chosen completions come first.
  for (let row = 0; row < rows / 2; row++) logits[row * vocab + targets[row]] += 0.5;
  const reference = { logps: new Float64Array(2 * pairs).fill(tokens * (-Math.log(vocab) - 0.2)) };
  return { tokens: { pairs, offsets, targets }, vocab, logits, reference };
}
