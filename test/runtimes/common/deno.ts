// Runs the file that the command line names, and prints what became of it.

import { runFile } from "./run.ts";

const [, , name] = process.argv;
console.log(JSON.stringify(await runFile(() => import(/* @vite-ignore */ `./${name}.js`))));
