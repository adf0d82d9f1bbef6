// SPDX-License-Identifier: Apache-2.0
// node scripts/fuzz.mjs [MINUTES [TARGET...]]: fuzzes the targets of test/fuzz for so long in all, one minute by default.
import { availableParallelism } from "node:os";
import { buildFuzzers, findClang, fuzz, fuzzPlan, fuzzTargets, NO_CLANG } from "./lib/fuzz.mjs";
import { SetupError } from "./lib/process.mjs";

try {
  const { targets, secondsEach } = fuzzPlan(process.argv.slice(2), fuzzTargets(), availableParallelism());
  const clang = findClang();
  if (clang === undefined) throw new SetupError(NO_CLANG);
  await buildFuzzers(clang);
  process.exitCode = (await fuzz(targets, secondsEach)) === targets.length ? 0 : 1;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
