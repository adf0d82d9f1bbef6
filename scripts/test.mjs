// SPDX-License-Identifier: Apache-2.0
// node scripts/test.mjs [STEP...]: makes the checkout ready, then runs every check and test, and ends with one line
// "N passed, N failed". Without names of steps all of them run, whatever fails before, but for "image", which needs root and a
// network; "all" stands for each of them.
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { buildFuzzers, findClang, fuzz, fuzzTargets, NO_CLANG } from "./lib/fuzz.mjs";
import { bundledNode, toolScript } from "./lib/paths.mjs";
import { onPath, run } from "./lib/process.mjs";
import { setup } from "./lib/setup.mjs";
import { check } from "./lib/test_counts.mjs";
import { failureLines } from "./lib/test_failures.mjs";
import { freshReport, junitResult, textOf, vitestResult } from "./lib/test_report.mjs";

/** For each fuzz target; `npm run fuzz` has more time. */
const FUZZ_SECONDS = 6;

/** Runs a tool of node_modules on the bundled Node. */
function tool(name, ...args) {
  return run(bundledNode(), [toolScript(name), ...args]);
}

/** What is made of the protocol's lists, and of the .proto files. */
async function generated() {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const script of ["scripts/gen-protocol.mjs", "scripts/gen-proto.mjs"]) {
    const { passed, failed } = check(await run(process.execPath, [script, "--check"]));
    counts.passed += passed;
    counts.failed += failed;
  }
  return counts;
}

async function vitest(...projects) {
  const report = freshReport(`${projects[0]}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const code = await tool("vitest", "run", ...projects.flatMap((project) => ["--project", project]), ...reporters);
  return vitestResult(code, report);
}

async function ctest(folder) {
  const report = freshReport(`${folder}.xml`);
  // Most of a C test is waiting for time limits and processes, so that more of them run at once than there are cores.
  const shown = ["--output-on-failure", "--no-tests=error", `-j${3 * availableParallelism()}`];
  const code = await run("ctest", ["--test-dir", folder, ...shown, "--output-junit", report]);
  return junitResult(code, report);
}

/** The C tests of a build folder that is configured. Their sources under test/ are not among those that setup watches. */
async function built(folder) {
  return (await run("cmake", ["--build", folder, "-j2"])) === 0 ? ctest(folder) : check(1);
}

/** The C tests of the build that serves. Where that took prebuilt parts, it is not configured yet. */
async function configured() {
  return (await run("cmake", ["-S", ".", "-B", "build"])) === 0 ? built("build") : check(1);
}

/** The C tests again, in a build of their own that watches memory or threads. */
async function sanitized(folder, sanitizers, flags = "") {
  const options = ["-DCMAKE_BUILD_TYPE=Debug", `-DCMAKE_C_FLAGS=${flags}`, `-DTSB_SANITIZE=${sanitizers}`];
  options.push("-DTSB_BUILD_ADDON=OFF");
  if ((await run("cmake", ["-S", ".", "-B", folder, ...options])) !== 0) return check(1);
  return built(folder);
}

async function fuzzed() {
  const targets = fuzzTargets();
  const clang = findClang();
  if (clang === undefined) {
    console.log(NO_CLANG);
    return { passed: 0, failed: 0, skipped: targets.length };
  }
  await buildFuzzers(clang);
  const passed = await fuzz(targets, FUZZ_SECONDS);
  return { passed, failed: targets.length - passed, skipped: 0 };
}

/** Runs steps in a process of their own. Gives each with its counts, and shows what it said when `shown` is settled. */
async function runBeside(names, shown) {
  if (names.length === 0) return [];
  const [report, log] = [freshReport("beside.json"), freshReport("beside.log")];
  const output = openSync(log, "w");
  console.log(
    `\n=== ${names.join(", ")}: beside the others; what they say comes behind it, and until then is in ${log}`,
  );
  const env = { ...process.env, TEST_REPORT: report };
  await run(process.execPath, ["scripts/test.mjs", ...names], { stdio: ["ignore", output, output], env });
  closeSync(output);
  await shown;
  process.stdout.write(readFileSync(log));
  const counts = JSON.parse(textOf(report) ?? "{}");
  return names.map((name) => [name, counts[name] ?? check(1)]);
}

const steps = {
  lint: async () => check(await run(process.execPath, ["scripts/lint.mjs"])),
  types: async () => check(await tool("tsc", "--project", "tsconfig.json", "--noEmit")),
  generated,
  unit: () => vitest("unit"),
  c: configured,
  "c-asan": () => sanitized("build-asan", "address,undefined"),
  "c-tsan": () => sanitized("build-tsan", "thread", "-O1"),
  fuzz: fuzzed,
  e2e: () => vitest("e2e"),
  image: () => vitest("image", "deploy"),
};
/** Run only when they are asked for. */
const ASKED_FOR = ["image"];
/** Run beside the end-to-end tests, where those are to run, in folders of their own: the build that serves stays as it is. */
const BESIDE_E2E = ["c-asan", "c-tsan", "fuzz"];

function chosenSteps() {
  const every = Object.keys(steps);
  const named = process.argv.slice(2).flatMap((name) => (name === "all" ? every : [name]));
  const unknown = named.filter((name) => !Object.hasOwn(steps, name));
  if (unknown.length > 0) {
    console.error(`There is no test step ${unknown.join(", ")}. Steps: ${every.join(", ")}, all.`);
    process.exit(2);
  }
  return named.length > 0 ? named : every.filter((name) => !ASKED_FOR.includes(name));
}

async function runStep(name) {
  console.log(`\n=== ${name}`);
  try {
    return await steps[name]();
  } catch (error) {
    console.error(error.message);
    return check(1);
  }
}

/** Runs the steps; gives each with its counts. */
async function runSteps(names) {
  // The end-to-end tests wait half of their time, and so do these.
  const beside = names.includes("e2e") ? names.filter((name) => BESIDE_E2E.includes(name)) : [];
  const counted = [];
  for (const name of names) {
    if (beside.includes(name)) continue;
    const step = runStep(name);
    const others = name === "e2e" ? runBeside(beside, step) : [];
    counted.push([name, await step], ...(await others));
  }
  return counted;
}

const chosen = chosenSteps();
if (!(await setup())) {
  console.log("0 passed, 1 failed");
  process.exit(1);
}
if (!onPath("ctest")) console.error("ctest was not found on PATH (it comes with CMake): the C tests will fail.");
const counted = await runSteps(chosen);
const sum = { passed: 0, failed: 0, skipped: 0 };
console.log("");
for (const [name, { failures = [] }] of counted) {
  for (const line of failureLines(name, failures)) console.log(line);
}
for (const [name, counts] of counted) {
  for (const key of Object.keys(sum)) sum[key] += counts[key];
  console.log(`${name.padEnd(10)} ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
}
if (sum.skipped > 0) console.log(`skipped in all: ${sum.skipped} (each says why where it is listed above)`);
console.log(`${sum.passed} passed, ${sum.failed} failed`);
if (process.env.TEST_REPORT) writeFileSync(process.env.TEST_REPORT, JSON.stringify(Object.fromEntries(counted)));
process.exitCode = sum.failed === 0 ? 0 : 1;
