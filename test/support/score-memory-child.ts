// A process of its own for the memory of score: a job whose log-probs are made up, so that what is left is all that grows with the
// data. Arguments: the data, the output. Prints a line of JSON.

import { reportOn } from "../../src/cli/loss.ts";
import { runJob } from "../../src/cli/score/run.ts";
import { scoredColumns } from "../../src/cli/score/score-rows.ts";

const [data = "", out = ""] = process.argv.slice(2);
const shardSize = 256;
const settings = {
  model: "",
  reference: "",
  maxLength: undefined,
  truncationMode: "keep_start",
  dtype: "fp32",
} as const;
const more = { batchTokens: 1, threads: undefined, unit: "pair", mismatched: undefined } as const;
const columns = Object.values(scoredColumns.pair);
const total = Number(/(\d+)\D*$/.exec(data)?.[1]);

const { source } = await runJob({ ...settings, ...more, out, paths: [data], shardSize }, {}, async (_, shards) => {
  for (let index = 0; index * shardSize < total; index++) {
    const count = Math.min(shardSize, total - index * shardSize);
    const rows = Array.from({ length: count }, (_, i) =>
      columns.map((_, k) => (k < 4 ? -10 - ((i * (k + 1)) % 7) : 5)),
    );
    await shards.write(index, { columns, rows, warnings: {} });
  }
  return 0;
});
const report = await reportOn(source, [data], { out, backend: "wasm", batchSize: 1024, map: scoredColumns.pair });
const megabytes = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(JSON.stringify({ pairs: report.pairs, megabytes }));
