// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const logging = new URL("./logging.ts", import.meta.url).href;

/** Runs code in a process of its own, whose console is routed, and gives what it wrote to stdout. */
function output(code: string): string {
  const script = `import { log, routeConsole } from ${JSON.stringify(logging)}; routeConsole(); ${code}`;
  return execFileSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
    encoding: "utf8",
  });
}

test("every line has the mark and the level", () => {
  expect(output('log("E", "one\\ntwo\\n"); log("I", "");')).toBe("\x1eEone\n\x1eEtwo\n\x1eI\n");
});

test("each method of console has the level that it stands for", () => {
  const code = ["log", "info", "warn", "error", "debug"].map((method) => `console.${method}("by %s", "${method}");`);
  expect(output(code.join(""))).toBe("\x1eIby log\n\x1eIby info\n\x1eWby warn\n\x1eEby error\n\x1eVby debug\n");
});

test("console.trace and a failed console.assert are errors, with the lines of the stack", () => {
  const lines = output('console.trace("here"); console.assert(false, "not so"); console.assert(true, "so");')
    .trim()
    .split("\n");
  expect(lines[0]).toBe("\x1eETrace: here");
  expect(lines.at(-1)).toBe("\x1eEAssertion failed: not so");
  for (const line of lines) expect(line.startsWith("\x1eE")).toBe(true);
});

test("objects over several lines, tables and groups", () => {
  expect(output('console.group("g"); console.log("inner"); console.groupEnd(); console.log("outer");')).toBe(
    "\x1eIg\n\x1eI  inner\n\x1eIouter\n",
  );
  for (const line of output("console.table([{ a: 1 }]);").trim().split("\n"))
    expect(line.startsWith("\x1eI")).toBe(true);
});

test("a closed output loses lines and ends nothing", () => {
  const code = 'import { writeFileSync } from "node:fs";';
  const script = `process.stdout.end(); log("I", "lost"); console.error("lost"); setTimeout(() => process.exit(0), 20);`;
  expect(output(`${code} ${script}`)).toBe("");
});
