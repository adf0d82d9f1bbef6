// SPDX-License-Identifier: Apache-2.0
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The entries of the package, the longer names first: each stands for what begins with it, too. */
const PACKAGE = {
  "triton-typescript/client/http": source("./client/http/index.ts"),
  "triton-typescript/client": source("./client/index.ts"),
  "triton-typescript": source("./stub/src/api/index.ts"),
};

export default defineConfig({
  resolve: { alias: PACKAGE },
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
            "client/**/*.test.ts",
            "viam-module/**/*.test.ts",
            "backends/**/*.test.ts",
            "model_repository/**/*.test.ts",
            "bench/**/*.test.ts",
            "scripts/**/*.test.mjs",
            "test/{conformance,fake-triton,faults,fuzz,ocr}/**/*.test.ts",
          ],
          testTimeout: 30_000,
          // Some wait for processes half of their time, so that more of them run at once than there are cores.
          maxWorkers: availableParallelism() + 1,
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
          // For a machine that is several times as slow as a usual one, or as busy.
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
      {
        extends: true,
        test: {
          name: "image",
          include: ["test/image/**/*.test.ts"],
          fileParallelism: false,
          globalSetup: ["test/image/images.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: { name: "deploy", include: ["test/deploy/**/*.test.ts"], testTimeout: 60_000 },
      },
      {
        extends: true,
        test: {
          name: "install",
          include: ["test/install/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          name: "arm64",
          include: ["test/arm64/**/*.test.ts"],
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
      {
        extends: true,
        test: {
          name: "soak",
          include: ["test/soak/**/*.test.ts"],
          globalSetup: ["test/e2e/harness/global_setup.ts"],
          setupFiles: ["test/e2e/harness/stop_all.ts"],
        },
      },
    ],
  },
});
