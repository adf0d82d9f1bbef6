#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const major = Number.parseInt(process.versions.node, 10);
const main = new URL("../dist/stub/src/cli/main.js", import.meta.url);
if (major < 20) {
  console.error(`triton-ts needs Node 20 or newer, this is Node ${process.versions.node}. Install a newer Node.`);
  process.exitCode = 1;
} else if (!existsSync(main)) {
  console.error(
    `triton-ts is not built: ${fileURLToPath(main)} is missing. Run "npm run setup" in the checkout first.`,
  );
  process.exitCode = 1;
} else {
  await import(main.href);
}
