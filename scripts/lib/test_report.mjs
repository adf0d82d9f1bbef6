// SPDX-License-Identifier: Apache-2.0
// Files in which test runners say what they counted.
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { inRoot, root } from "./paths.mjs";
import { junitCounts, vitestCounts } from "./test_counts.mjs";
import { junitFailures, vitestFailures } from "./test_failures.mjs";

const folder = "build/test-results";

/** The path of a report that is yet to be written: what an earlier run left there is gone. */
export function freshReport(name) {
  mkdirSync(inRoot(folder), { recursive: true });
  rmSync(inRoot(folder, name), { force: true });
  return inRoot(folder, name);
}

/** Undefined when the runner did not come to write it. */
export function textOf(report) {
  return existsSync(report) ? readFileSync(report, "utf8") : undefined;
}

/** Counts and failures of a run of vitest that ended with `code`. */
export function vitestResult(code, report) {
  const text = textOf(report);
  return { ...vitestCounts(code, text), failures: vitestFailures(text, root) };
}

/** The same of ctest. */
export function junitResult(code, report) {
  const text = textOf(report);
  return { ...junitCounts(code, text), failures: junitFailures(text) };
}
