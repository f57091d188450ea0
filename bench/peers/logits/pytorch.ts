import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { clock } from "../../measure.ts";
import type { Answer, Input, Library } from "./peer.ts";

/** Debian's Python first: `python3` may be another, which does not see Debian's python3-torch. */
const pythons = ["/usr/bin/python3", "python3"];

/** PyTorch on the CPU, one thread, in a process of its own that times itself; no peers where there is none. */
export async function create({ rows, vocab, logits, ids, g }: Input): Promise<Library> {
  const python = pythons.find((name) => spawnSync(name, ["-c", "import torch"]).status === 0);
  if (python === undefined) {
    console.log("PyTorch is left out: no Python here has it (Debian: python3-torch)\n");
    return { peers: [] };
  }
  const folder = mkdtempSync(path.join(os.tmpdir(), "dpo-kernels-bench-"));
  const file = (name: string) => path.join(folder, name);
  const arrays = { logits, ids, g, logps: new Float32Array(rows), gradient: new Float32Array(rows * vocab) };
  for (const [name, array] of Object.entries(arrays)) writeFileSync(file(name), array);

  const script = new URL("pytorch.py", import.meta.url).pathname;
  const args = [script, folder, rows, vocab, clock].map(String);
  const child = spawn(python, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error("PyTorch: its process has ended");
    return value;
  };
  const version = await nextLine();
  const call = (name: string, results: readonly ("logps" | "gradient")[]) => async (): Promise<Answer> => {
    child.stdin.write(`${name}\n`);
    const elapsed = Number(await nextLine());
    const answer = { elapsed };
    // Read when looked at: timing looks at none.
    for (const result of results) Object.defineProperty(answer, result, { get: () => floats(file(result)) });
    return answer;
  };
  const passes = (forward: string, both: string) => ({
    forward: call(forward, ["logps"]),
    both: call(both, ["logps", "gradient"]),
  });
  return {
    peers: [
      { name: "PyTorch (native), autograd", ...passes("forward", "autograd") },
      { name: "PyTorch (native), log of softmax by hand", ...passes("by_hand_forward", "by_hand") },
    ],
    versions: { pytorch: version },
    close() {
      child.stdin.end();
      rmSync(folder, { recursive: true });
    },
  };
}

function floats(file: string): Float32Array {
  const { buffer, byteOffset, byteLength } = readFileSync(file);
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}
