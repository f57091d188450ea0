import { defineConfig } from "vitest/config";

// Exhaustive tests run for minutes: `SLOW=1 npx vitest run`.
const slow = process.env["SLOW"] === "1" ? [] : ["test/slow-*.test.ts"];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "node",
          environment: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["**/node_modules/**", "bench/**", ...slow],
        },
      },
    ],
  },
});
