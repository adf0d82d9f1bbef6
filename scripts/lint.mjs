// SPDX-License-Identifier: Apache-2.0
// node scripts/lint.mjs [--write]: checks format and rules of all sources, or formats and mends what can be mended.
import { readFileSync } from "node:fs";
import { circles, missingHeaders, wrongDirections, wrongLayers } from "./lib/c_includes.mjs";
import { longLines } from "./lib/c_lines.mjs";
import { formatC } from "./lib/clang_format.mjs";
import { filesUnder } from "./lib/digest.mjs";
import { bundledNode, inRoot, toolScript } from "./lib/paths.mjs";
import { run, SetupError } from "./lib/process.mjs";

const write = process.argv.includes("--write");
const cFiles = filesUnder(["backend-shim", "stub/native", "client", "test", "bench"], (name) =>
  /\.(c|cc|h|def)$/.test(name),
);

async function biome() {
  const script = toolScript("biome");
  if (script === undefined) throw new SetupError('The tool "biome" is not installed here. Run "npm run setup" first.');
  return (await run(bundledNode(), [script, "check", write ? "--write" : "--error-on-warnings", "."])) === 0;
}

function rulesOfC() {
  const sources = new Map(cFiles.map((file) => [file, readFileSync(inRoot(file), "utf8")]));
  const complaints = [longLines, wrongDirections, wrongLayers, circles, missingHeaders].flatMap((rule) =>
    rule(sources),
  );
  for (const complaint of complaints) console.error(complaint);
  return complaints.length === 0;
}

for (const step of [biome, () => formatC(cFiles, write), rulesOfC]) {
  try {
    if (!(await step())) process.exitCode = 1;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
