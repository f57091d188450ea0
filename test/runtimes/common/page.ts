// Runs the file that the address names, and sends what became of it, or of a sample of its cases.

import { runFile } from "./run.ts";

const wanted = new URL(location.href).searchParams;
const outcomes = await runFile(() => import(/* @vite-ignore */ `./${wanted.get("file")}.js`), wanted.has("sample"));
await fetch("/report", { method: "POST", body: JSON.stringify(outcomes) });
