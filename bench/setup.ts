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
import type { Server as TritonServer } from "../stub/src/cli/server.ts";
import { makePython, type Python } from "./python.ts";
import { shell } from "./shell.ts";
import { modelConfig, type Subject } from "./subjects.ts";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
export const BENCH_DIR = path.join(ROOT, "build", "bench");

const HERE = path.join(ROOT, "bench");

/** Everything a run needs to know about what was set up. All are absolute paths. */
export interface Workbench {
  server: string;
  /** LD_LIBRARY_PATH of the server, the libpython of its Python stub included. */
  libraryPath: string;
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
function pythonBackend(server: TritonServer, python: Python, target: string): void {
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

function writeRepository(dir: string, subjects: readonly Subject[]): void {
  for (const subject of subjects) {
    const version = path.join(dir, subject.name, "1");
    mkdirSync(version, { recursive: true });
    writeFileSync(path.join(dir, subject.name, "config.pbtxt"), modelConfig(subject));
    if (subject.source)
      copyFileSync(path.join(HERE, "models", subject.source), path.join(version, path.basename(subject.source)));
  }
}

/** perf_analyzer wants two libraries by their plain names; the server's folder has them under hashed ones. */
function linkLibraries(server: TritonServer): string {
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

/** Sets up all that `subjects` need. Steps that are done already are quick. */
export async function setUp(
  server: TritonServer,
  subjects: readonly Subject[],
  say: (text: string) => void,
): Promise<Workbench> {
  mkdirSync(BENCH_DIR, { recursive: true });
  const python = await makePython(path.join(BENCH_DIR, "venv"), say);
  const backends = emptyDir(path.join(BENCH_DIR, "backends"));
  for (const backend of new Set(subjects.map((subject) => subject.backend))) {
    const target = path.join(backends, backend);
    if (backend === "python") {
      pythonBackend(server, python, target);
      continue;
    }
    mkdirSync(target);
    const library = backend === "typescript" ? await typescriptLibrary(say) : await buildFloor(say);
    symlinkSync(library, path.join(target, path.basename(library)));
  }
  const repository = emptyDir(path.join(BENCH_DIR, "repository"));
  writeRepository(repository, subjects);
  return {
    server: server.binary,
    libraryPath: [...server.libraryPath, python.libraryDir].join(":"),
    backends,
    repository,
    perfAnalyzer: path.join(BENCH_DIR, "venv", "bin", "perf_analyzer"),
    perfAnalyzerLibraries: linkLibraries(server),
    python,
  };
}
