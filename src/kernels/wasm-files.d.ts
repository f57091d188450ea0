// The modules as files: what the edge entries import, and what users do as dpo-kernels/kernels.wasm.

declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

declare module "*.wasm?module" {
  const module: WebAssembly.Module;
  export default module;
}
