// SPDX-License-Identifier: Apache-2.0
// Runs at the start of each worker thread of a model; model_threads.ts says how it comes here.
import { registerHooks } from "node:module";
import { getEnvironmentData } from "node:worker_threads";
import { type ImportPlan, ModelImporter } from "./model_import.ts";
import { packageTest } from "./model_resolver.ts";
import { PLAN_KEY } from "./model_threads.ts";

const { file, ...plan } = getEnvironmentData(PLAN_KEY) as unknown as ImportPlan;
const isInPackage = packageTest(file, plan.modelFolders);
const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** Imports the thread's own file; a thread whose code is no file has none. */
export const importer = new ModelImporter({ ...plan, file: process.argv[1] ?? file });
await importer.start();

// What Node imports next is the thread's own file. TypeScript of the model is left to the importer, as it may need tsx.
const hooks = registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    if (context.parentURL !== undefined) return found;
    hooks.deregister();
    if (!/^file:.*\.(?:[cm]?ts|[jt]sx)$/.test(found.url) || isInPackage(found.url)) return found;
    return { url: new URL(`./thread_entry.${extension}`, import.meta.url).href, format: null, shortCircuit: true };
  },
});
