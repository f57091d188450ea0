/** The version of the package: a pool and the file that its workers run must be of the same one. test/pool/versions.test.ts */
export const version = "0.1.0";
