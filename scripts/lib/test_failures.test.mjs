// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { failureLines, junitFailures, vitestFailures } from "./test_failures.mjs";

const report = (...testResults) => JSON.stringify({ testResults });

describe("what failed", () => {
  it("names the tests of vitest, with the beginning of what they said", () => {
    const message = `AssertionError: expected \u001b[31m1\u001b[39m\n${"x".repeat(1000)}\n${"    at somewhere\n".repeat(40)}`;
    const tests = [
      { status: "passed", fullName: "is fine", failureMessages: [] },
      { status: "failed", fullName: "is wrong", failureMessages: [message] },
    ];
    const [failure, ...more] = vitestFailures(
      report({ name: "/here/test/a.test.ts", status: "failed", message: "", assertionResults: tests }),
      "/here",
    );
    expect(more).toEqual([]);
    expect(failure.name).toBe("test/a.test.ts > is wrong");
    expect(failure.lines[0]).toBe("AssertionError: expected 1");
    expect(failure.lines.length).toBeLessThan(20);
    expect(failure.lines[1].length).toBeLessThan(400);
  });

  it("names a file that could not be loaded", () => {
    const file = { name: "/here/b.test.ts", status: "failed", message: "no such module", assertionResults: [] };
    expect(vitestFailures(report(file), "/here")).toEqual([{ name: "b.test.ts", lines: ["no such module"] }]);
  });

  it("names the tests of ctest", () => {
    const test = (name, status) => `<testcase name="${name}" classname="${name}" time="0.1" status="${status}">`;
    const text = `<testsuite>${test("c_json", "run")}</testcase>${test("c_ring", "fail")}</testcase></testsuite>`;
    expect(junitFailures(text)).toEqual([{ name: "c_ring", lines: [] }]);
  });

  it("is nothing where there is no report", () => {
    expect(vitestFailures(undefined, "/here")).toEqual([]);
    expect(junitFailures(undefined)).toEqual([]);
  });

  it("is shown with the name of the step", () => {
    expect(failureLines("e2e", [{ name: "a.test.ts > is wrong", lines: ["expected 1"] }])).toEqual([
      "FAILED e2e: a.test.ts > is wrong",
      "    expected 1",
    ]);
  });
});
