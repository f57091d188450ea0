// What bounds the work: the machine's limits as a roof over what candidates reach, and the share of its limit that each of ours does.

import type { BenchResult } from "../../../bench/types.ts";
import { legendOf } from "./colours.ts";
import { type Draw, largest } from "./parts.ts";
import type { Limits, RooflinePoint, rooflinePlot } from "./roofline.mjs";
import type { Row } from "./rows.ts";

/** Ours first; of two with the same name that whose arrays need no copy. */
const order = (rows: readonly Row[]): Row[] =>
  rows.toSorted((a, b) => Number(b.figure.ours) - Number(a.figure.ours) || Number(isOwn(a)) - Number(isOwn(b)));

const isOwn = ({ figure }: Row): boolean => figure.arrays === "own";

const isFirst = ({ figure }: Row, k: number, all: readonly Row[]): boolean =>
  all.findIndex((other) => other.figure.candidate === figure.candidate) === k;

interface Roofline {
  readonly points: readonly RooflinePoint[];
  /** Of the candidates, ours first. */
  readonly names: readonly string[];
  readonly peers: ReadonlySet<string>;
  readonly limits: Limits;
}

/** The largest case of each kind under the limits of one thread of one run; undefined where these are not known. */
export function rooflineOf(rows: readonly Row[], { limits }: BenchResult): Roofline | undefined {
  const points = largest(order(rows).filter(({ figure }) => figure.work && figure.group !== "pool")).flatMap(
    ([family, all]) =>
      all.filter(isFirst).flatMap(({ figure: { candidate: label, ours, units, median, work } }) => {
        if (!work) return [];
        const { bytes, flops } = work;
        return { case: family, label, ours, intensity: flops / bytes, rate: flops / units / median };
      }),
  );
  if (points.length === 0 || !(limits.bandwidth > 0)) return undefined;
  const roofs = [
    ...(limits.relaxed ? [{ name: "relaxed", peak: 2 * limits.relaxed }] : []),
    ...(limits.plain > 0 ? [{ name: "plain", peak: 2 * limits.plain }] : []),
  ];
  return {
    points,
    names: [...new Set(points.toSorted((a, b) => Number(b.ours) - Number(a.ours)).map(({ label }) => label))],
    peers: new Set(points.filter(({ ours }) => !ours).map(({ label }) => label)),
    limits: { bandwidth: limits.bandwidth, roofs },
  };
}

export function rooflinePart(draw: typeof rooflinePlot, rows: readonly Row[], result: BenchResult): string {
  const found = rooflineOf(rows, result);
  if (!found) return "";
  const { points, names, peers, limits } = found;
  return legendOf(names, (name) => peers.has(name)) + draw(points, names, limits);
}

/** Candidates whose share is told: what is bound by the machine and not by an interpreter's like. */
const isBound = ({ kind }: Row): boolean => kind === "ours";

export function sharesPart(draw: Draw, rows: readonly Row[]): string {
  const limits = { bandwidth: "the bandwidth of reading", "multiply-add": "the multiply-add peak" } as const;
  return (["bandwidth", "multiply-add"] as const)
    .flatMap((limit) => {
      const bound = rows.filter((row) => isBound(row) && row.figure.share?.of === limit && row.figure.units >= 1000);
      const points = bound.map(({ figure, label }) => ({
        case: figure.case,
        label,
        share: 100 * (figure.share?.value ?? 0),
      }));
      if (points.length === 0) return [];
      const names = [...new Set(points.map(({ label }) => label))];
      return legendOf(names) + draw.sharePlot(points, names, limits[limit]);
    })
    .join("\n");
}
