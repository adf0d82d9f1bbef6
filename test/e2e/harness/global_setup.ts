// SPDX-License-Identifier: Apache-2.0
// Runs once before all end-to-end tests: the parts that every test needs are there, or one sentence says what is not.
import { existsSync } from "node:fs";
import type { TestProject } from "vitest/node";
import { ensureEmbeddedServer } from "../../../stub/src/cli/embedded_server.ts";
import { installedServer } from "../../../stub/src/cli/installed_server.ts";
import { backendLibrary, stubAddon, stubMain } from "../../../stub/src/cli/package_root.ts";
import type { Server } from "../../../stub/src/cli/server.ts";
import { ensurePython } from "./python_environment.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The tritonserver to start. */
    tritonServer: Server;
    /** The Python with tritonclient. */
    python: string;
  }
}

function checkBuilt(): void {
  const missing = [backendLibrary, stubAddon, stubMain].filter((file) => !existsSync(file));
  if (missing.length === 0) return;
  throw new Error(`The end-to-end tests need a build, but ${missing.join(", ")} is missing. Run: npm run setup`);
}

export default async function setup(project: TestProject): Promise<void> {
  checkBuilt();
  const installed = process.env["TRITON_SERVER"];
  project.provide("tritonServer", installed ? installedServer(installed) : await ensureEmbeddedServer(process.stderr));
  project.provide("python", await ensurePython());
}
