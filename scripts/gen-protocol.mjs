// SPDX-License-Identifier: Apache-2.0
// node scripts/gen-protocol.mjs [--check]: writes the TypeScript side of the protocol from the C side, or says whether
// the committed file is what the C side gives.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { inRoot } from "./lib/paths.mjs";
import { runQuietly, SetupError } from "./lib/process.mjs";

const target = "stub/src/protocol/layout.gen.ts";

async function generate() {
  await runQuietly("cmake", ["-S", ".", "-B", "build"], "Configuring the native build");
  await runQuietly("cmake", ["--build", "build", "--target", "gen_layout", "-j2"], "Building the generator");
  return execFileSync(inRoot("build/bin/gen_layout"), { encoding: "utf8" });
}

try {
  const wanted = await generate();
  if (!process.argv.includes("--check")) {
    writeFileSync(inRoot(target), wanted);
    console.log(`wrote ${target}`);
  } else if (readFileSync(inRoot(target), "utf8") !== wanted) {
    console.error(`${target} is not what backend-shim/shared gives. Run "npm run gen:protocol" and commit the file.`);
    process.exitCode = 1;
  }
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
