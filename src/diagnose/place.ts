// Where this code runs, as the place says of itself.

export interface Place {
  /** "Node 26.10.0, V8 14.6", "Cloudflare Workers", or what a browser calls itself. */
  readonly runtime: string;
  /** "linux x64"; empty where the place does not say. */
  readonly platform: string;
  /** Processors; 0 where the place does not say. */
  readonly cores: number;
  readonly sharedArrayBuffer: boolean;
  /** WebAssembly's memory can be shared with workers, and there are workers. */
  readonly threads: boolean;
  readonly float16Array: boolean;
  /** `navigator.gpu` is there. */
  readonly webgpu: boolean;
}

/** What is global in one runtime or another. */
interface Globals {
  readonly process?: {
    readonly versions?: Readonly<Record<string, string | undefined>>;
    readonly platform?: string;
    readonly arch?: string;
  };
  readonly navigator?: { readonly userAgent?: string; readonly hardwareConcurrency?: number; readonly gpu?: unknown };
  readonly EdgeRuntime?: unknown;
  readonly Worker?: unknown;
  readonly Float16Array?: unknown;
}

export function placeOf(): Place {
  const { process, navigator, Worker, Float16Array: halves } = globalThis as Globals;
  const { platform = "", arch = "" } = process ?? {};
  return {
    runtime: runtimeOf(globalThis as Globals),
    platform: `${platform} ${arch}`.trim(),
    cores: navigator?.hardwareConcurrency ?? 0,
    sharedArrayBuffer: typeof SharedArrayBuffer === "function",
    // Node's workers are not global.
    threads: canShare() && (typeof Worker === "function" || process?.versions?.["node"] !== undefined),
    float16Array: typeof halves === "function",
    webgpu: navigator?.gpu !== undefined && navigator.gpu !== null,
  };
}

// Some compatibility layers bring a process of Node's that says little of the place, so those come first that say who they are.
function runtimeOf({ process, navigator, EdgeRuntime }: Globals): string {
  const agent = navigator?.userAgent ?? "";
  if (agent === "Cloudflare-Workers") return "Cloudflare Workers";
  if (EdgeRuntime !== undefined) return `Vercel's edge runtime (${String(EdgeRuntime)})`;
  const { bun, deno, node, v8 } = process?.versions ?? {};
  if (bun) return `Bun ${bun}`;
  if (deno) return `Deno ${deno}, V8 ${v8}`;
  return node ? `Node ${node}, V8 ${v8}` : agent || "a runtime that does not say its name";
}

function canShare(): boolean {
  try {
    const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    return typeof SharedArrayBuffer === "function" && buffer instanceof SharedArrayBuffer;
  } catch {
    return false;
  }
}
