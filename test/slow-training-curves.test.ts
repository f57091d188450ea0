// The training runs of training-curves.test.ts on the js backend, where 40 steps take 20 seconds: four to the end, ten steps of the others.

import { createJs } from "../src/index.ts";
import { trainingCurves } from "./support/training-curves.ts";

trainingCurves((tests) => tests(createJs()), 10);
