/** `npm run test:live`: against real servers, where there are any; see docs/engines.md. */
import { defineConfig } from "vitest/config";
import type { ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/live/**/*.test.ts"],
    expect: { requireAssertions: true },
    globalSetup: ["test/e2e/build.ts"],
    setupFiles: ["test/setup.ts"],
    // Names what is skipped, and says how to have it.
    reporters: ["verbose"],
    // One server at a time: they share the processor, and some answer one request after the other.
    fileParallelism: false,
    testTimeout: 20 * 60_000,
    hookTimeout: 5 * 60_000,
  },
});

export default config;
