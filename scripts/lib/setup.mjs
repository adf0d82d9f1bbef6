// SPDX-License-Identifier: Apache-2.0
// Makes a checkout ready to serve. Each step is left out when its output is up to date: npm packages, native libraries
// (CMake, into build/lib), TypeScript (into dist).
import { copyFileSync, existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { contentOf, filesUnder, stamp, stateOf } from "./digest.mjs";
import { withLock } from "./lock.mjs";
import { bundledNode, inRoot, outsideEnvironment, toolScript } from "./paths.mjs";
import { findPrebuilds, PARTS, SOURCES, TARGETS } from "./prebuilds.mjs";
import { onPath, runQuietly, SetupError, succeeds } from "./process.mjs";

const nativeOutputs = PARTS.map((part) => `build/lib/${part}`);

function say(text) {
  console.log(`setup: ${text}`);
}

function checkPlatform() {
  const major = Number.parseInt(process.versions.node, 10);
  if (major < 20) {
    throw new SetupError(`Node 20 or newer is needed, this is Node ${process.versions.node}. Install a newer Node.`);
  }
  if (process.platform !== "linux") {
    throw new SetupError(`Triton and this backend run on Linux only, this is ${process.platform}.`);
  }
}

/** Python's pip fetches the server later; saying now that it is missing saves a build that leads nowhere. */
function checkPython() {
  if (process.env.TRITON_SERVER) return;
  if (!onPath("python3")) {
    throw new SetupError(
      "Python 3 was not found on PATH: it fetches the Triton server. Install python3 with pip, or set TRITON_SERVER to the tritonserver binary of an installed Triton.",
    );
  }
  if (!succeeds("python3", ["-m", "pip", "--version"])) {
    throw new SetupError(
      "Python's pip was not found: it fetches the Triton server. Install it (package python3-pip on Debian and Ubuntu), or set TRITON_SERVER to the tritonserver binary of an installed Triton.",
    );
  }
}

async function installPackages() {
  const lockFile = "package-lock.json";
  const hidden = inRoot("node_modules", ".package-lock.json");
  const mark = stamp("node_modules/.triton-typescript-lock");
  const wanted = contentOf(lockFile);
  const missing = !existsSync(hidden);
  if (!missing && (mark.matches(wanted) || statSync(hidden).mtimeMs >= statSync(inRoot(lockFile)).mtimeMs)) return;
  say("installing npm packages ...");
  const env = outsideEnvironment();
  const args = [
    missing ? "ci" : "install",
    ...(missing ? [] : ["--no-save"]),
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
  ];
  const npm = process.env.npm_execpath?.endsWith(".js") ? process.env.npm_execpath : undefined;
  if (npm === undefined && !onPath("npm", env)) {
    throw new SetupError("npm was not found on PATH. Install npm (it comes with Node).");
  }
  const runner = process.env.npm_node_execpath ?? "node";
  await runQuietly(npm ? runner : "npm", npm ? [npm, ...args] : args, "Installing the npm packages", { env });
  mark.write(wanted);
}

/** Takes the native parts from prebuilds/ where those fit; says what it does. Gives whether it did. */
function takePrebuilds() {
  const { folder, because } = findPrebuilds();
  if (because !== undefined) say(`the native parts in prebuilds/ do not serve here: ${because}`);
  if (folder === undefined) return false;
  say(`taking the prebuilt native parts of ${folder}`);
  mkdirSync(inRoot("build", "lib"), { recursive: true });
  for (const part of PARTS) {
    rmSync(inRoot("build", "lib", part), { force: true }); // a process may have it loaded
    copyFileSync(inRoot(folder, part), inRoot("build", "lib", part));
  }
  return true;
}

async function buildNative(force) {
  const digest = stateOf(filesUnder(SOURCES));
  const mark = stamp("build/.triton-typescript-native");
  if (!force && mark.matches(digest) && nativeOutputs.every((file) => existsSync(inRoot(file)))) return;
  if (!force && takePrebuilds()) {
    mark.write(digest);
    return;
  }
  if (!onPath("cmake")) {
    throw new SetupError("cmake was not found on PATH: it builds the native parts. Install CMake 3.20 or newer.");
  }
  const compiler = process.env.CC;
  if (
    compiler
      ? !onPath(path.basename(compiler)) && !existsSync(compiler)
      : !["cc", "gcc", "clang"].some((name) => onPath(name))
  ) {
    throw new SetupError(
      compiler
        ? `The C compiler "${compiler}" that CC names was not found. Install it or unset CC.`
        : "No C compiler was found (cc, gcc or clang). Install one (package build-essential on Debian and Ubuntu).",
    );
  }
  say("building the native parts ...");
  const configure = ["-S", ".", "-B", "build", "-DCMAKE_BUILD_TYPE=Release"];
  await runQuietly("cmake", configure, "Configuring the native build");
  await runQuietly("cmake", ["--build", "build", "-j2", "--target", ...TARGETS], "The native build");
  for (const file of nativeOutputs) {
    if (!existsSync(inRoot(file))) throw new SetupError(`The native build ended without making ${file}.`);
  }
  mark.write(digest);
}

/** dist/ has the folders of the checkout. The compiler leaves the output of a source that is gone; it could still be imported. */
function removeStaleOutputs() {
  for (const file of filesUnder(["dist"], (name) => /\.(js|d\.ts)(\.map)?$/.test(name))) {
    const source = path.relative("dist", file).replace(/\.(js|d\.ts)(\.map)?$/, ".ts");
    if (!existsSync(inRoot(source))) rmSync(inRoot(file));
  }
}

function outputOf(source) {
  return path.join("dist", source).replace(/\.ts$/, ".js");
}

/**
 * Puts what each instance's process loads of the runtime into one file: to find and to read fifty modules takes longer than
 * anything else that it does at its start. The modules of the API stay apart, as models import them, too.
 */
async function joinRuntime() {
  const file = inRoot("dist/stub/src/runtime/stub.js");
  const output = {
    outfile: file,
    allowOverwrite: true,
    format: "esm",
    platform: "node",
    sourcemap: true,
    sourcesContent: false,
  };
  const outside = { packages: "external", external: ["../api/*"] };
  let inside;
  try {
    const { build } = await import("esbuild");
    const joined = await build({
      ...{ entryPoints: [file], bundle: true, metafile: true, logLevel: "silent" },
      ...output,
      ...outside,
    });
    inside = Object.keys(joined.metafile.inputs);
  } catch (error) {
    throw new SetupError(`Putting the runtime into one file failed: ${error.message}`);
  }
  const api = inside.filter((name) => name.startsWith("dist/stub/src/api/"));
  if (api.length > 0) throw new SetupError(`There would be two of what models import: ${api.join(", ")}.`);
}

async function compileTypeScript(force) {
  const sources = filesUnder(
    [
      "stub/src",
      "server",
      "proto",
      "client",
      "viam-module",
      "tsconfig.json",
      "tsconfig.build.json",
      "package-lock.json",
      "scripts/lib/setup.mjs",
    ],
    (name) => !name.endsWith(".test.ts") && !name.includes("/testing/"),
  );
  const digest = stateOf(sources);
  const mark = stamp("dist/.triton-typescript-build");
  const outputs = sources.filter((file) => file.endsWith(".ts")).map(outputOf);
  if (!force && mark.matches(digest) && outputs.every((file) => existsSync(inRoot(file)))) return;
  const compiler = toolScript("tsc");
  if (compiler === undefined) {
    throw new SetupError('The TypeScript compiler is not installed. Run "npm ci" without --omit=dev, then try again.');
  }
  say("compiling TypeScript ...");
  await runQuietly(bundledNode(), [compiler, "--project", "tsconfig.build.json"], "Compiling the TypeScript sources");
  await joinRuntime();
  removeStaleOutputs();
  mark.write(digest);
}

async function runSteps(flags) {
  const started = Date.now();
  const first = !existsSync(inRoot("build/.triton-typescript-native"));
  if (first) checkPython();
  await installPackages();
  await buildNative(flags.has("--force-native"));
  await compileTypeScript(flags.has("--force-ts"));
  if (first) say(`ready after ${Math.round((Date.now() - started) / 1000)} s`);
}

/** Brings everything up to date and gives whether that worked; a failure has been told. Flags: --force-ts, --force-native. */
export async function setup(flags = new Set()) {
  try {
    checkPlatform();
    const waiting = () => say("another setup is running here, waiting for it ...");
    await withLock(inRoot(".setup-lock"), () => runSteps(flags), waiting);
    return true;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`setup: ${error.message}`);
    return false;
  }
}
