// The scenario in Deno: prints the report, and ends.

import { runScenario } from "./scenario.js";

console.log(JSON.stringify(await runScenario()));
