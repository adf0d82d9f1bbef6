// SPDX-License-Identifier: Apache-2.0
// node scripts/soak.mjs [MINUTES]: a real server under streams, calls, cancels, kills and reloads for so long, ten minutes by
// default. test/soak says what must hold.
import { bundledNode, toolScript } from "./lib/paths.mjs";
import { run } from "./lib/process.mjs";

const [minutes = "10", ...more] = process.argv.slice(2);
if (!(Number(minutes) > 0) || more.length > 0) {
  console.error("Usage: npm run soak -- [MINUTES]");
  process.exit(2);
}
const env = { ...process.env, SOAK_MINUTES: minutes };
const args = [toolScript("vitest"), "run", "--project", "soak", "--disable-console-intercept"];
process.exit(await run(bundledNode(), args, { env }));
