// SPDX-License-Identifier: Apache-2.0
// The process as a whole is tested against a real server (test/e2e); here is what it does without one.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const main = fileURLToPath(new URL("../../../dist/stub/src/runtime/main.js", import.meta.url));

test("started by hand it says what it is for", () => {
  expect(existsSync(main), `${main} is missing. Run: npm run build`).toBe(true);
  const { status, stdout } = spawnSync(process.execPath, [main], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe", "ignore"],
  });
  expect(status).toBe(1);
  expect(stdout).toContain("There is no Triton server at the other end of descriptor 3.");
  expect(stdout).toContain("triton-ts serve");
});
