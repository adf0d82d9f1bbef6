// SPDX-License-Identifier: Apache-2.0
// node scripts/run.mjs TOOL [ARGUMENT...]: runs a tool of node_modules on the Node that the install brings.
// Some tools need a newer Node than the one that a developer's machine has.
import { bundledNode, toolScript } from "./lib/paths.mjs";
import { run } from "./lib/process.mjs";

const [tool, ...args] = process.argv.slice(2);
if (tool === undefined) {
  console.error("Usage: node scripts/run.mjs TOOL [ARGUMENT...]");
  process.exit(2);
}
if (tool === "node") {
  process.exit(await run(bundledNode(), args));
}
const script = toolScript(tool);
if (script === undefined) {
  console.error(`The tool "${tool}" is not installed here. Run "npm run setup" first.`);
  process.exit(1);
}
process.exit(await run(bundledNode(), [script, ...args]));
