// SPDX-License-Identifier: Apache-2.0
// node scripts/test-install.mjs: makes what a release consists of, installs it where no compiler is found, and serves with it.
import { bundledNode, toolScript } from "./lib/paths.mjs";
import { run } from "./lib/process.mjs";

const packed = await run(process.execPath, ["scripts/pack-release.mjs"]);
process.exit(packed || (await run(bundledNode(), [toolScript("vitest"), "run", "--project", "install"])));
