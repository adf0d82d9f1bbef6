// SPDX-License-Identifier: Apache-2.0
// Runs once before all end-to-end tests: the parts that every test needs are there, or one sentence says what is not.
import type { TestProject } from "vitest/node";
import { ensureEmbeddedServer } from "../../../server/embedded_server.ts";
import type { Installation } from "../../../server/installation.ts";
import { installedServer } from "../../../server/installed_server.ts";
import { checkBuilt } from "../../../server/package_root.ts";
import { ensurePython } from "./python_environment.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The tritonserver to start. */
    tritonServer: Installation;
    /** The Python with tritonclient. */
    python: string;
  }
}

export default async function setup(project: TestProject): Promise<void> {
  checkBuilt();
  const installed = process.env["TRITON_SERVER"];
  project.provide("tritonServer", installed ? installedServer(installed) : await ensureEmbeddedServer(process.stderr));
  project.provide("python", await ensurePython());
}
