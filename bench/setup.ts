// SPDX-License-Identifier: Apache-2.0
// Makes everything that the benchmark needs, from nothing, below build/bench.

import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { planBackends } from "../server/backend_folder.ts";
import type { Installation } from "../server/installation.ts";
import { makePython, type Python } from "./python.ts";
import { shell } from "./shell.ts";
import { modelConfig, type Subject } from "./subjects.ts";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
export const BENCH_DIR = path.join(ROOT, "build", "bench");

const HERE = path.join(ROOT, "bench");

/** Everything a run needs to know about what was set up. All are absolute paths. */
export interface Workbench {
  /** The server; its libraries include the libpython of its Python stub. */
  installation: Installation;
  backends: string;
  repository: string;
  perfAnalyzer: string;
  perfAnalyzerLibraries: string;
  python: Python;
}

function emptyDir(dir: string): string {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  return dir;
}

async function buildFloor(say: (text: string) => void): Promise<string> {
  say("building the native identity backend");
  const build = path.join(BENCH_DIR, "native_identity");
  await shell("cmake", ["-S", path.join(HERE, "native_identity"), "-B", build, "-DCMAKE_BUILD_TYPE=Release"]);
  await shell("cmake", ["--build", build]);
  return path.join(build, "libtriton_native_identity.so");
}

/** Brings the build up to date first: an older one must not be measured in its place. */
async function typescriptLibrary(say: (text: string) => void): Promise<string> {
  say("bringing the typescript backend up to date");
  await shell(process.execPath, [path.join(ROOT, "scripts", "setup.mjs")], { cwd: ROOT });
  return path.join(ROOT, "build", "lib", "libtriton_typescript.so");
}

/** The wheel keeps one stub per Python version beside the backends, NVIDIA's image one in the backend. */
function pythonBackend(server: Installation, python: Python, target: string): void {
  const home = path.dirname(path.dirname(server.binary));
  cpSync(path.join(server.backendDirectory ?? path.join(home, "backends"), "python"), target, { recursive: true });
  const stub = path.join(target, "triton_python_backend_stub");
  const perVersion = path.join(home, "python_backend_stubs", python.version, "triton_python_backend_stub");
  if (existsSync(perVersion)) copyFileSync(perVersion, stub);
  if (!existsSync(stub)) {
    throw new Error(
      `The server at ${server.binary} has no Python stub for Python ${python.version}. Put a Python 3.9 to 3.12 first on PATH.`,
    );
  }
  chmodSync(stub, 0o755);
}

/** Our own backends, those written in TypeScript too, as links to this checkout. */
async function linkBackends(target: string, say: (text: string) => void): Promise<void> {
  const library = await typescriptLibrary(say);
  const own = planBackends({ library, builtIn: path.join(ROOT, "backends"), users: [] });
  const floor = await buildFloor(say);
  own.set(path.join("native_identity", path.basename(floor)), floor);
  for (const [place, source] of own) {
    const link = path.join(target, place);
    mkdirSync(path.dirname(link), { recursive: true });
    symlinkSync(source, link);
  }
}

export interface ModelFiles {
  /** The text of config.pbtxt. */
  config: string;
  /** Files or folders below bench/models that go into the version folder. */
  sources?: readonly string[];
}

/** Writes the model `name`, version 1, into a repository, over what was there. Gives its folder. */
export function writeModel(repository: string, name: string, { config, sources = [] }: ModelFiles): string {
  const folder = emptyDir(path.join(repository, name));
  const version = path.join(folder, "1");
  mkdirSync(version);
  writeFileSync(path.join(folder, "config.pbtxt"), config);
  for (const source of sources) {
    cpSync(path.join(HERE, "models", source), path.join(version, path.basename(source)), { recursive: true });
  }
  return folder;
}

/** perf_analyzer wants two libraries by their plain names; the server's folder has them under hashed ones. */
function linkLibraries(server: Installation): string {
  const target = emptyDir(path.join(BENCH_DIR, "perf_analyzer_libraries"));
  for (const [plain, pattern] of [
    ["libb64.so.0d", /^libb64-\w+\.so\.0d$/],
    ["libcudart.so.12", /^libcudart-\w+\.so\.12/],
  ] as const) {
    for (const dir of server.libraryPath) {
      const found = readdirSync(dir).find((name) => pattern.test(name));
      if (found) symlinkSync(path.join(dir, found), path.join(target, plain));
    }
  }
  return target;
}

/**
 * Sets up all backends and the models of `subjects`; parts write further models themselves. `pythonPackages` is what
 * Python models import beside numpy. Steps that are done already are quick.
 */
export async function setUp(
  server: Installation,
  subjects: readonly Subject[],
  pythonPackages: readonly string[],
  say: (text: string) => void,
): Promise<Workbench> {
  mkdirSync(BENCH_DIR, { recursive: true });
  const python = await makePython(path.join(BENCH_DIR, "venv"), pythonPackages, say);
  const backends = emptyDir(path.join(BENCH_DIR, "backends"));
  await linkBackends(backends, say);
  pythonBackend(server, python, path.join(backends, "python"));
  const repository = emptyDir(path.join(BENCH_DIR, "repository"));
  for (const subject of subjects) {
    writeModel(repository, subject.name, {
      config: modelConfig(subject),
      sources: subject.source ? [subject.source] : [],
    });
  }
  return {
    installation: { ...server, libraryPath: [...server.libraryPath, python.libraryDir] },
    backends,
    repository,
    perfAnalyzer: path.join(BENCH_DIR, "venv", "bin", "perf_analyzer"),
    perfAnalyzerLibraries: linkLibraries(server),
    python,
  };
}
