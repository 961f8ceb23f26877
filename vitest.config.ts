import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/live/**"],
    expect: { requireAssertions: true },
    setupFiles: ["test/setup.ts"],
    testTimeout: 60_000,
  },
});
