// Types of globals that some places have and others lack: the package's declarations ask for no library beyond es2022.

/** Instances of a global class, where the libraries that TypeScript is given declare it. */
export type Instance<Name extends string, Otherwise = never> = typeof globalThis extends {
  readonly [K in Name]: { readonly prototype: infer T };
}
  ? T
  : Otherwise;

/** A well-known symbol, where the libraries declare it. */
type WellKnown<Name extends string> = SymbolConstructor extends { readonly [K in Name]: infer S extends symbol }
  ? S
  : never;

/** What `using` calls. */
export type DisposesNow = { [K in WellKnown<"dispose">]: () => void };

/** What `await using` calls. */
export type DisposesLater = { [K in WellKnown<"asyncDispose">]: () => Promise<void> };

/** A compiled module; any object where no library knows the class. */
export type WasmModule = typeof globalThis extends { readonly WebAssembly: { Module: { readonly prototype: infer M } } }
  ? M
  : object;

export type HalfArray = Instance<"Float16Array">;

/** A device and a buffer of WebGPU; any object where no library knows the classes. */
export type GpuDevice = Instance<"GPUDevice", object>;
export type GpuBuffer = Instance<"GPUBuffer", object>;

/** A request and a response of the fetch standard. */
export type WebRequest = Instance<"Request", object>;
export type WebResponse = Instance<"Response", object>;

export type Signal = Instance<"AbortSignal", { readonly aborted: boolean }>;
