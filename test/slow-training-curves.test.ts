// The training runs of training-curves.test.ts on the js backend: 20 seconds each.

import { createJs } from "../src/index.ts";
import { trainingCurves } from "./support/training-curves.ts";

trainingCurves((tests) => tests(createJs()));
