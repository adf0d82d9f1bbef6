// SPDX-License-Identifier: Apache-2.0
// node scripts/test-image.mjs: builds docker/Dockerfile.cpu on a base of Debian's packages, and uses it. test/image says what
// must hold. Where the tools are missing it says so, and nothing has failed.
import { bundledNode, toolScript } from "./lib/paths.mjs";
import { run } from "./lib/process.mjs";

process.exit(await run(bundledNode(), [toolScript("vitest"), "run", "--project", "image"]));
