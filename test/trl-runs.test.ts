// TRL's runs on the processor's backends; on WebGPU they are test/webgpu/slow-trl-runs.test.ts.

import { onEachWasm } from "./support/backends.ts";
import { trlRuns } from "./support/trl-runs.ts";

trlRuns((tests) => onEachWasm((backend) => tests(() => backend)));
