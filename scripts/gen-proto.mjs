// SPDX-License-Identifier: Apache-2.0
// node scripts/gen-proto.mjs [--check]: writes proto/gen, the TypeScript of the .proto files, or says whether what is
// committed there is what they give.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { filesUnder } from "./lib/digest.mjs";
import { bundledNode, inRoot, root, toolScript } from "./lib/paths.mjs";
import { runQuietly, SetupError } from "./lib/process.mjs";

const folder = "proto/gen";

/** Writes the TypeScript of all .proto files into a folder. buf calls the generator, and needs nothing from the network. */
async function generate(output) {
  const script = toolScript("buf");
  if (script === undefined) throw new SetupError('The tool "buf" is not installed here. Run "npm run setup" first.');
  const PATH = [path.dirname(bundledNode()), inRoot("node_modules/.bin"), process.env.PATH].join(path.delimiter);
  const args = [script, "generate", inRoot("proto"), "--template", inRoot("proto/buf.gen.yaml"), "-o", output];
  await runQuietly(bundledNode(), args, "Generating the TypeScript of proto/", { env: { ...process.env, PATH } });
}

/** The files below a folder: their text by their path in it. */
function textsOf(place) {
  const files = filesUnder([path.relative(root, place)]);
  return new Map(files.map((file) => [path.relative(place, inRoot(file)), readFileSync(inRoot(file), "utf8")]));
}

/** The files that one of the two folders lacks, or has with another text. */
async function outOfDate() {
  const scratch = mkdtempSync(path.join(tmpdir(), "triton-typescript-proto-"));
  try {
    await generate(scratch);
    const wanted = textsOf(scratch);
    const found = textsOf(inRoot(folder));
    const names = new Set([...wanted.keys(), ...found.keys()]);
    return [...names].filter((name) => wanted.get(name) !== found.get(name));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

try {
  if (process.argv.includes("--check")) {
    for (const name of await outOfDate()) {
      console.error(`${folder}/${name} is not what proto/ gives. Run "npm run gen:proto" and commit the folder.`);
      process.exitCode = 1;
    }
  } else {
    rmSync(inRoot(folder), { recursive: true, force: true });
    await generate(inRoot(folder));
    for (const name of textsOf(inRoot(folder)).keys()) console.log(`wrote ${folder}/${name}`);
  }
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
