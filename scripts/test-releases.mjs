// SPDX-License-Identifier: Apache-2.0
// node scripts/test-releases.mjs: the core of what the library does on real servers of five releases of Triton. The servers are
// fetched once (server/versions.ts pins them); docs/releases.md says what the older ones lack.
import { bundledNode, toolScript } from "./lib/paths.mjs";
import { run } from "./lib/process.mjs";

const releases = ["23.07", "24.01", "24.02", "24.06", "24.10"];
const env = { ...process.env, RELEASES: process.env.RELEASES ?? releases.join(",") };
const args = [toolScript("vitest"), "run", "--project", "e2e", "test/e2e/releases.test.ts"];
process.exit(await run(bundledNode(), args, { env }));
