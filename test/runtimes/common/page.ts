// Runs the file that the address names, and sends what became of it.

import { runFile } from "./run.ts";

const name = new URL(location.href).searchParams.get("file");
const outcomes = await runFile(() => import(/* @vite-ignore */ `./${name}.js`));
await fetch("/report", { method: "POST", body: JSON.stringify(outcomes) });
