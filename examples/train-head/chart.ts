// A curve in the terminal: dots of Braille characters, two by four in each.

const bits = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;

/** A curve under its title, which also says where it begins and ends; values are averaged over a tenth of their number. */
export function chart(title: string, values: readonly number[], width = 60, height = 5): string {
  const curve = averaged(values, Math.max(1, Math.round(values.length / 10)));
  const [low, high] = [Math.min(...curve), Math.max(...curve)];
  const cells = new Uint8Array(width * height);
  const rowOf = (value: number): number => Math.round(((high - value) / (high - low || 1)) * (4 * height - 1));
  let before = rowOf(curve[0] ?? 0);
  for (let x = 0; x < 2 * width; x++) {
    const row = rowOf(curve[Math.round((x / (2 * width - 1)) * (curve.length - 1))] ?? 0);
    // What lies between two dots is drawn too, so that steep parts hang together.
    const from = row > before ? before + 1 : row < before ? before - 1 : row;
    for (let y = Math.min(row, from); y <= Math.max(row, from); y++) {
      const cell = Math.floor(y / 4) * width + Math.floor(x / 2);
      cells[cell] = (cells[cell] ?? 0) | (bits[x % 2]?.[y % 4] ?? 0);
    }
    before = row;
  }
  const line = (y: number): string => {
    const label = y === 0 ? high.toFixed(3) : y === height - 1 ? low.toFixed(3) : "";
    const dots = Array.from(cells.subarray(y * width, (y + 1) * width), (cell) => 0x2800 + cell);
    return `${label.padStart(8)} │${String.fromCharCode(...dots)}`;
  };
  const ends = `${(curve[0] ?? 0).toFixed(3)} → ${(curve.at(-1) ?? 0).toFixed(3)}`;
  return [`${title}: ${ends}`, ...Array.from({ length: height }, (_, y) => line(y))].join("\n");
}

// The mean of each value and those before it.
function averaged(values: readonly number[], over: number): number[] {
  return values.map((_, i) => {
    const window = values.slice(Math.max(0, i + 1 - over), i + 1);
    return window.reduce((sum, value) => sum + value, 0) / window.length;
  });
}
