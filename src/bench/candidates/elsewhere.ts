// Programs in a process of their own, or in a page's worker: where nothing of this package has been loaded yet.

/** Milliseconds that one may take. */
const PATIENCE = 30_000;

interface ChildProcess {
  execFile(
    file: string,
    args: readonly string[],
    options: { readonly timeout: number },
    done: (error: Error | null, output: string) => void,
  ): unknown;
}

interface Globals {
  readonly process?: {
    readonly execPath?: string;
    readonly versions?: Readonly<Record<string, string | undefined>>;
    getBuiltinModule?(name: string): unknown;
  };
  readonly navigator?: { readonly userAgent?: string };
}

const { process, navigator } = globalThis as unknown as Globals;

/** Runs a module's text that ends by calling `send` once, and gives what it sent, which is JSON. */
export function runElsewhere(text: string): Promise<unknown> {
  const child = process?.getBuiltinModule?.("node:child_process") as ChildProcess | undefined;
  if (child && process?.execPath && navigator?.userAgent !== "Cloudflare-Workers") return inProcess(child, text);
  if (typeof Worker === "function" && typeof document === "object") return inWorker(text);
  return Promise.reject(new Error("expected child processes or a page's workers, got neither"));
}

function inProcess({ execFile }: ChildProcess, text: string): Promise<unknown> {
  const program = `const send = (value) => console.log(JSON.stringify(value));\n${text}`;
  const { bun, deno } = process?.versions ?? {};
  const flags = deno ? ["eval"] : bun ? ["-e"] : ["--input-type=module", "-e"];
  return new Promise((resolve, reject) => {
    execFile(process?.execPath ?? "", [...flags, program], { timeout: PATIENCE }, (error, output) => {
      if (error) reject(error);
      else resolve(JSON.parse(output));
    });
  });
}

function inWorker(text: string): Promise<unknown> {
  const program = `const send = (value) => postMessage(JSON.stringify(value));\n${text}`;
  const url = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`worker: expected an answer within ${PATIENCE} ms`)), PATIENCE);
    worker.onmessage = ({ data }) => {
      clearTimeout(late);
      resolve(JSON.parse(data));
    };
    worker.onerror = ({ message }) => {
      clearTimeout(late);
      reject(new Error(message || "worker: the page's policy allows none of its own text"));
    };
  }).finally(() => {
    worker.terminate();
    URL.revokeObjectURL(url);
  });
}
