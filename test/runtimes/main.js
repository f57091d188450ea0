// The scenario in Node, Deno and Bun: prints the report as JSON. The process is to exit by itself.

import { runScenario } from "./scenario.js";

console.log(JSON.stringify(await runScenario()));
