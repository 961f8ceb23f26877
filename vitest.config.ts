import { defineConfig } from "vitest/config";
import type { ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/live/**"],
    expect: { requireAssertions: true },
    globalSetup: ["test/e2e/build.ts"],
    setupFiles: ["test/setup.ts"],
    // Many tests load the model or run the program; the machine may be slow and shared.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

export default config;
