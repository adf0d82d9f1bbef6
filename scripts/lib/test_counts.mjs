// SPDX-License-Identifier: Apache-2.0
// Turns the report of a test runner into counts. A runner that failed never counts as zero failures.

const failedRun = { passed: 0, failed: 1, skipped: 0 };

/** A step that is one check: passed when its command ended with 0. */
export function check(code) {
  return code === 0 ? { passed: 1, failed: 0, skipped: 0 } : { ...failedRun };
}

function withExitCode(counts, code) {
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

/** Counts of vitest's JSON report. A file that could not be loaded has no tests, but is a failure. */
export function vitestCounts(code, text) {
  if (text === undefined) return { ...failedRun };
  const report = JSON.parse(text);
  const unloaded = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  ).length;
  const counts = {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloaded,
    skipped: report.numPendingTests + report.numTodoTests,
  };
  return withExitCode(counts, code);
}

/** Counts of ctest's JUnit report. */
export function junitCounts(code, text) {
  const head = text === undefined ? undefined : /<testsuite\b[^>]*>/.exec(text)?.[0];
  if (head === undefined) return { ...failedRun };
  const count = (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const skipped = count("skipped") + count("disabled");
  const failed = count("failures");
  return withExitCode({ passed: count("tests") - failed - skipped, failed, skipped }, code);
}
