// SPDX-License-Identifier: Apache-2.0
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const publicApi = fileURLToPath(new URL("./stub/src/api/index.ts", import.meta.url));

export default defineConfig({
  resolve: { alias: { "triton-typescript": publicApi } },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: [
            "stub/src/**/*.test.ts",
            "server/**/*.test.ts",
            "proto/**/*.test.ts",
            "viam-module/**/*.test.ts",
            "backends/**/*.test.ts",
            "model_repository/**/*.test.ts",
            "bench/**/*.test.ts",
            "scripts/**/*.test.mjs",
            "test/{conformance,fake-triton,faults,fuzz,ocr}/**/*.test.ts",
          ],
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          // Every file starts a real server of its own, so files run one after another.
          fileParallelism: false,
          globalSetup: ["test/e2e/harness/global_setup.ts"],
          setupFiles: ["test/e2e/harness/stop_all.ts"],
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
