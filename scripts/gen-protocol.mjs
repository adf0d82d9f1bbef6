// SPDX-License-Identifier: Apache-2.0
// node scripts/gen-protocol.mjs [--check]: writes what is made of the protocol's lists, or says whether the committed
// files are what the lists give: the TypeScript side, and the tables in docs/protocol.md.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { withTables } from "./lib/doc_tables.mjs";
import { inRoot } from "./lib/paths.mjs";
import { runQuietly, SetupError } from "./lib/process.mjs";

const layoutFile = "stub/src/protocol/layout.gen.ts";
const docsFile = "docs/protocol.md";

async function generate() {
  await runQuietly("cmake", ["-S", ".", "-B", "build"], "Configuring the native build");
  await runQuietly("cmake", ["--build", "build", "--target", "gen_layout", "-j2"], "Building the generator");
  const print = (what) => execFileSync(inRoot("build/bin/gen_layout"), [what], { encoding: "utf8" });
  return new Map([
    [layoutFile, print("ts")],
    [docsFile, withTables(readFileSync(inRoot(docsFile), "utf8"), print("docs"))],
  ]);
}

try {
  for (const [file, wanted] of await generate()) {
    if (!process.argv.includes("--check")) {
      writeFileSync(inRoot(file), wanted);
      console.log(`wrote ${file}`);
    } else if (readFileSync(inRoot(file), "utf8") !== wanted) {
      console.error(`${file} is not what backend-shim/shared gives. Run "npm run gen:protocol" and commit the file.`);
      process.exitCode = 1;
    }
  }
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
