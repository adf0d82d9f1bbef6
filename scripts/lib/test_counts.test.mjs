// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { check, junitCounts, vitestCounts } from "./test_counts.mjs";

const report = (more) =>
  JSON.stringify({
    numPassedTests: 5,
    numFailedTests: 0,
    numPendingTests: 1,
    numTodoTests: 0,
    testResults: [],
    ...more,
  });

describe("counts", () => {
  it("take one check as one test", () => {
    expect(check(0)).toEqual({ passed: 1, failed: 0, skipped: 0 });
    expect(check(3)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  it("read vitest's report", () => {
    expect(vitestCounts(0, report({}))).toEqual({ passed: 5, failed: 0, skipped: 1 });
    const broken = { status: "failed", assertionResults: [] };
    expect(vitestCounts(1, report({ testResults: [broken] })).failed).toBe(1);
    const failed = { status: "failed", assertionResults: [{ status: "failed" }] };
    expect(vitestCounts(1, report({ numFailedTests: 1, testResults: [failed] })).failed).toBe(1);
  });

  it("read ctest's report", () => {
    const text = '<?xml version="1.0"?>\n<testsuite name="x"\n\ttests="7" failures="1" disabled="0" skipped="2">';
    expect(junitCounts(8, text)).toEqual({ passed: 4, failed: 1, skipped: 2 });
  });

  it("never call a failed runner a success", () => {
    expect(vitestCounts(1, report({})).failed).toBe(1);
    expect(vitestCounts(1, undefined).failed).toBe(1);
    expect(junitCounts(8, undefined).failed).toBe(1);
    expect(junitCounts(8, '<testsuite tests="0" failures="0">').failed).toBe(1);
  });
});
