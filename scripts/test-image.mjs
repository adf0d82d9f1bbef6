// SPDX-License-Identifier: Apache-2.0
// node scripts/test-image.mjs: builds docker/Dockerfile.cpu on a base of Debian's packages and docker/examples on top of it, and uses
// them (test/image); lints and renders docker/ and deploy/ (test/deploy). Where the tools or a registry are missing it says so,
// and nothing has failed.
import { bundledNode, toolScript } from "./lib/paths.mjs";
import { run } from "./lib/process.mjs";

process.exit(await run(bundledNode(), [toolScript("vitest"), "run", "--project", "image", "--project", "deploy"]));
