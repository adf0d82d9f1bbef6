// SPDX-License-Identifier: Apache-2.0
// What failed, once more at the end of a run: of a long log often only the end is kept.
import path from "node:path";
import { stripVTControlCharacters } from "node:util";

/** Enough of a message to know the failure again; the whole one stands where the test ran. */
const LINES = 12;
const COLUMNS = 300;

function brief(message) {
  const lines = stripVTControlCharacters(message)
    .split("\n")
    .map((line) => (line.length > COLUMNS ? `${line.slice(0, COLUMNS)}…` : line));
  return lines.length > LINES ? [...lines.slice(0, LINES), "…"] : lines;
}

/** The tests, and the files that could not be loaded, of vitest's JSON report. */
export function vitestFailures(text, root) {
  if (text === undefined) return [];
  return JSON.parse(text).testResults.flatMap((file) => {
    const name = path.relative(root, file.name);
    const tests = file.assertionResults.filter((test) => test.status === "failed");
    if (tests.length === 0) return file.status === "failed" ? [{ name, lines: brief(file.message) }] : [];
    return tests.map((test) => ({
      name: `${name} > ${test.fullName}`,
      lines: test.failureMessages.flatMap(brief),
    }));
  });
}

/** The tests of ctest's JUnit report; what they said stands where they ran. */
export function junitFailures(text) {
  const failed = (text ?? "").matchAll(/<testcase name="([^"]*)"[^>]*\bstatus="fail"/g);
  return [...failed].map(([, name]) => ({ name, lines: [] }));
}

/** The lines that tell what failed in a step. */
export function failureLines(step, failures) {
  return failures.flatMap(({ name, lines }) => [`FAILED ${step}: ${name}`, ...lines.map((line) => `    ${line}`)]);
}
