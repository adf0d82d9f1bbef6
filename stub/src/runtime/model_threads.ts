// SPDX-License-Identifier: Apache-2.0
// Worker threads that a model starts import its files as its main thread does. Node runs what `--import` names at the start
// of each thread; the server starts a stub with a few words there (backend-shim/src/stub_process.c), which import the file
// that the main thread names here.
import { setEnvironmentData } from "node:worker_threads";
import type { ImportPlan } from "./model_import.ts";

/** Under this name the words of `--import` look for the URL of a file to import; nothing in the main thread. */
export const PRELOAD_KEY = "triton-typescript:preload";
/** Under this name that file finds the plan. */
export const PLAN_KEY = "triton-typescript:plan";

/** Tells threads that are started from now on how to import the model's files. */
export function shareWithThreads(plan: ImportPlan): void {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  setEnvironmentData(PLAN_KEY, { ...plan });
  setEnvironmentData(PRELOAD_KEY, new URL(`./thread_preload.${extension}`, import.meta.url).href);
}
