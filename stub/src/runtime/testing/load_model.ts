// SPDX-License-Identifier: Apache-2.0
// Loads one model in a process of its own and prints what came of it as one line of JSON.
import { TritonError } from "../../api/index.ts";
import { loadModel } from "../model_loader.ts";

const options = JSON.parse(process.argv[2] ?? "{}");
let report: Record<string, unknown>;
try {
  const { ModelClass, file, autoCompleteConfig } = await loadModel(options);
  const model = new ModelClass();
  report = { file, name: ModelClass.name, autoComplete: autoCompleteConfig !== undefined };
  try {
    report.result = await (model as unknown as { execute: () => unknown }).execute();
  } catch (error) {
    report.thrown = { message: (error as Error).message, stack: (error as Error).stack };
  }
} catch (error) {
  const { message, code, cause } = error as TritonError;
  report = { ours: error instanceof TritonError, message, code, causeStack: (cause as Error | undefined)?.stack };
}
console.log(`\n${JSON.stringify(report, (_key, value) => (typeof value === "bigint" ? `${value}n` : value))}`);
