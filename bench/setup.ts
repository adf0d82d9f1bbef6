// SPDX-License-Identifier: Apache-2.0
// Makes everything that the benchmark needs, from nothing, below build/bench.

import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { backendFolder } from "../server/backend_folder.ts";
import type { Installation } from "../server/installation.ts";
import { packageRoot } from "../server/package_root.ts";
import { makePython, type Python } from "./python.ts";
import { shell } from "./shell.ts";

export const BENCH_DIR = path.join(packageRoot, "build", "bench");

type Say = (text: string) => void;

/** Everything a run needs to know about what was set up. All are absolute paths. */
export interface Workbench {
  /** The server; its libraries include the libpython of its Python stub. */
  installation: Installation;
  /** What its environment has besides. */
  env: NodeJS.ProcessEnv;
  backends: string;
  repository: string;
  perfAnalyzer: string;
  perfAnalyzerLibraries: string;
  python: Python;
}

function emptyDir(...names: string[]): string {
  const dir = path.join(BENCH_DIR, ...names);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  return dir;
}

async function buildFloor(target: string): Promise<void> {
  const [source, build] = [path.join(packageRoot, "bench", "native_identity"), path.join(BENCH_DIR, "native_identity")];
  await shell("cmake", ["-S", source, "-B", build, "-DCMAKE_BUILD_TYPE=Release"]);
  await shell("cmake", ["--build", build]);
  const library = "libtriton_native_identity.so";
  symlinkSync(path.join(build, library), path.join(target, library));
}

/** The wheel keeps one stub per Python version beside the backends, NVIDIA's image one in the backend. */
function copyPythonBackend({ binary, backendDirectory }: Installation, python: Python, target: string): void {
  const home = path.dirname(path.dirname(binary));
  cpSync(path.join(backendDirectory ?? path.join(home, "backends"), "python"), target, { recursive: true });
  const stub = path.join(target, "triton_python_backend_stub");
  const perVersion = path.join(home, "python_backend_stubs", python.version, "triton_python_backend_stub");
  if (existsSync(perVersion)) copyFileSync(perVersion, stub);
  if (!existsSync(stub)) {
    throw new Error(
      `The server at ${binary} has no Python stub for Python ${python.version}. Put a Python 3.9 to 3.12 first on PATH.`,
    );
  }
  chmodSync(stub, 0o755);
}

/** Ours as links to this checkout, brought up to date first: an older build must not be measured in its place. */
async function makeBackends(installation: Installation, python: Python, say: Say): Promise<string> {
  say("bringing the typescript backend up to date");
  await shell(process.execPath, [path.join(packageRoot, "scripts", "setup.mjs")], { cwd: packageRoot });
  say("building the native identity backend");
  const others = emptyDir("backends");
  await buildFloor(emptyDir("backends", "native_identity"));
  copyPythonBackend(installation, python, path.join(others, "python"));
  const { backendDirectory: _, ...withoutItsOwn } = installation;
  return backendFolder(withoutItsOwn, [others]);
}

/** perf_analyzer wants two libraries by their plain names; the server's folder has them under hashed ones. */
function linkLibraries({ libraryPath }: Installation): string {
  const target = emptyDir("perf_analyzer_libraries");
  for (const [plain, pattern] of [
    ["libb64.so.0d", /^libb64-\w+\.so\.0d$/],
    ["libcudart.so.12", /^libcudart-\w+\.so\.12/],
  ] as const) {
    for (const dir of libraryPath) {
      const found = readdirSync(dir).find((name) => pattern.test(name));
      if (found) symlinkSync(path.join(dir, found), path.join(target, plain));
    }
  }
  return target;
}

/** Sets up all backends and an empty repository, which parts fill. Steps that are done already are quick. */
export async function setUp(server: Installation, say: Say): Promise<Workbench> {
  mkdirSync(BENCH_DIR, { recursive: true });
  const python = await makePython(path.join(BENCH_DIR, "venv"), say);
  return {
    installation: { ...server, libraryPath: [...server.libraryPath, python.libraryDir] },
    env: { PATH: `${python.binDir}:${process.env["PATH"] ?? ""}`, TRITON_TYPESCRIPT_NODE: process.execPath },
    backends: await makeBackends(server, python, say),
    repository: emptyDir("repository"),
    perfAnalyzer: path.join(python.binDir, "perf_analyzer"),
    perfAnalyzerLibraries: linkLibraries(server),
    python,
  };
}
