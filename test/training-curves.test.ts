// 20 training runs of TRL, reproduced step by step. In plain JavaScript: slow-training-curves.test.ts.

import { onEachLocalWasm } from "./support/backends.ts";
import { trainingCurves } from "./support/training-curves.ts";

trainingCurves(onEachLocalWasm);
