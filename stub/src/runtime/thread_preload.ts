// SPDX-License-Identifier: Apache-2.0
// Runs at the start of each worker thread of a model; model_threads.ts says how it comes here.
import { registerHooks } from "node:module";
import { isAbsolute } from "node:path";
import { pathToFileURL } from "node:url";
import { getEnvironmentData } from "node:worker_threads";
import { type ImportPlan, ModelImporter } from "./model_import.ts";
import { packageTest } from "./model_resolver.ts";
import { PLAN_KEY } from "./model_threads.ts";

const plan = getEnvironmentData(PLAN_KEY) as unknown as ImportPlan;
const isInPackage = packageTest(plan.file, plan.modelFolders);
/** The thread's file, if it has one and that is the model's own. One of code may have anything there. */
const [entry] = process.argv.slice(1, 2).filter((file) => isAbsolute(file) && !isInPackage(pathToFileURL(file).href));

export const importer = new ModelImporter({ ...plan, file: entry ?? plan.file });
await importer.start();

// What Node imports next is the thread's own file. TypeScript is left to the importer, as it may need tsx.
if (entry !== undefined && /\.(?:[cm]?ts|[jt]sx)$/.test(entry)) {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const url = new URL(`./thread_entry.${extension}`, import.meta.url).href;
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      if (context.parentURL !== undefined) return next(specifier, context);
      hooks.deregister();
      // A thread of code has the model's first argument in the place of its file.
      if (specifier.startsWith("data:")) return next(specifier, context);
      return { url, format: null, shortCircuit: true };
    },
  });
}
