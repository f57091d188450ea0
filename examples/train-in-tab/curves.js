// Curves as SVG, drawn anew at each step.

const [width, height, left, bottom] = [600, 130, 56, 18];

/** A picture of one or several series of numbers over steps from 1 to `steps`; NaN leaves a gap out. */
export function curves(title, series, steps) {
  const all = Object.values(series)
    .flat()
    .filter(([, value]) => Number.isFinite(value));
  const values = all.map(([, value]) => value);
  const [low, high] = values.length > 0 ? [Math.min(...values), Math.max(...values)] : [0, 1];
  const x = (step) => left + ((step - 1) / Math.max(1, steps - 1)) * (width - left - 8);
  const y = (value) => height - bottom - ((value - low) / (high - low || 1)) * (height - bottom - 12);
  const colors = ["#4269d0", "#d6442f"];
  const lines = Object.entries(series).map(([name, points], i) => {
    const path = points
      .filter(([, value]) => Number.isFinite(value))
      .map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`)
      .join(" ");
    return `<polyline points="${path}" fill="none" stroke="${colors[i]}" stroke-width="1.5"><title>${name}</title></polyline>`;
  });
  const label = (at, text) => `<text x="${left - 6}" y="${at}" text-anchor="end">${text}</text>`;
  const legend = Object.keys(series).map((name, i) => `<span style="color: ${colors[i]}">${name}</span>`);
  return `<figure><figcaption>${title}: ${legend.join(", ")}</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}" font-size="11" font-family="system-ui">
<path d="M${left} 8V${height - bottom}H${width - 8}" fill="none" stroke="#999"/>
${label(y(high) + 4, high.toPrecision(4))}${low < high ? label(y(low) + 4, low.toPrecision(4)) : ""}
<text x="${width - 8}" y="${height - 4}" text-anchor="end">step ${steps}</text>
${lines.join("\n")}</svg></figure>`;
}
