// `asp` compiles each spec on its own and runs it: as-pect.asconfig.json for the plain build,
// `asp --as-config as-pect.relaxed.asconfig.json` for the relaxed one. No file is written.

export default {
  entries: ["assembly/__tests__/**/*.spec.ts"],
  include: [],
  disclude: [/node_modules/],
  async instantiate(_memory, createImports, instantiate, binary) {
    return instantiate(binary, createImports({ env: { scratch: 1024 } }));
  },
  outputBinary: false,
};
