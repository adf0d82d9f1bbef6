// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const logging = new URL("./logging.ts", import.meta.url).href;

/** Runs code in a process of its own, whose console is routed, and gives what it wrote to stdout. */
function output(code: string): string {
  const script = `import { askForLevels, followLevels, log, routeConsole } from ${JSON.stringify(logging)}; routeConsole(); ${code}`;
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

/** A value that counts how often somebody formats it, and a server whose log takes what is in `on`. */
const TELLTALE = `import { inspect } from "node:util"; let looks = 0;
  const value = { [inspect.custom]() { looks++; return "seen"; }, toString() { looks++; return "seen"; } };
  const on = new Set(["I", "W", "E", "V"]); followLevels({ has: (level) => on.has(level) });`;

test.each([
  ["V", ["debug"]],
  ["I", ["log", "info", "dir", "dirxml", "table", "group", "groupCollapsed"]],
  ["W", ["warn"]],
  ["E", ["error", "trace"]],
])("what nobody reads at level %s is not even formatted, and is printed again once it is read", (level, methods) => {
  for (const method of methods) {
    const quiet = `on.delete("${level}"); console.${method}(value); console.${method}("%s", value);`;
    const loud = `on.add("${level}"); process.stdout.write("looks " + looks + "\\n"); console.${method}(["seen"]);`;
    const [first, ...rest] = output(`${TELLTALE} ${quiet} ${loud}`).trim().split("\n");
    expect(first).toBe("looks 0");
    expect(rest.join()).toContain("seen");
    for (const line of rest) expect(line.startsWith(`\x1e${level}`)).toBe(true);
  }
});

test("console.assert and console.timeLog format nothing either while nobody reads it", () => {
  const code = `on.clear(); console.assert(false, "%s", value); console.time("t"); console.timeLog("t", value);
    console.count("c"); on.add("I"); console.count("c"); process.stdout.write("looks " + looks);`;
  expect(output(`${TELLTALE} ${code}`)).toBe("\x1eIc: 2\nlooks 0");
});

test("a group that nobody reads indents what follows", () => {
  const code = `on.clear(); console.group("g"); on.add("I"); console.log("inner"); console.groupEnd(); console.log("outer");`;
  expect(output(`${TELLTALE} ${code}`)).toBe("\x1eI  inner\n\x1eIouter\n");
});

test("the runtime's own lines follow the levels, too", () => {
  expect(output(`${TELLTALE} on.clear(); log("E", "one"); on.add("W"); log("W", "two");`)).toBe("\x1eWtwo\n");
});

test("the server is asked by a line that it does not log", () => {
  expect(output("askForLevels();")).toBe("\x1eV\n");
});
