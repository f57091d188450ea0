// node parquet-fuzz-child.ts PATH FROM TO: prints the tally of `fuzz` and the most memory it took, in megabytes.

import { fuzz } from "./parquet-fuzz.ts";

const [path = "", from, to] = process.argv.slice(2);
const tally = await fuzz(path, Number(from), Number(to));
console.log(JSON.stringify({ ...tally, megabytes: process.resourceUsage().maxRSS / 1024 }));
