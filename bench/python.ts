// SPDX-License-Identifier: Apache-2.0
// Virtual environments: one with perf_analyzer and what the models of python_backend need, others for whoever wants one.
// Their packages are complete and pinned, so that nothing is resolved and every run has the same.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { shell } from "./shell.ts";

/** python_backend of this release answers with empty tensors, and no error, under numpy 2. */
const NUMPY = "1.26.4";
/** The last wheel of its kind that carries perf_analyzer; what the Python models of the work part import beside numpy. */
const PACKAGES = [`numpy==${NUMPY}`, "tritonclient==2.51.0", "pillow==11.3.0"];

type Say = (text: string) => void;

const CANDIDATES = ["python3", "python3.12", "python3.11", "python3.10", "python3.9"];

export interface Python {
  /** The interpreter that environments are made of. */
  executable: string;
  /** Major and minor version, as in "3.11". */
  version: string;
  /** The folder of libpython, which the stub is linked to. */
  libraryDir: string;
  /** The virtual environment's bin folder: first on the server's PATH, since python_backend looks only there. */
  binDir: string;
  numpy: string;
}

const DESCRIBE = `
import sys, sysconfig
print(sys.executable)
print("%d.%d" % sys.version_info[:2])
print(sysconfig.get_config_var("LIBDIR") or "")
print(sysconfig.get_config_var("INSTSONAME") or "")
`;

/** The first Python that has a stub, a numpy 1 wheel and a shared libpython. */
async function findPython(): Promise<Pick<Python, "executable" | "version" | "libraryDir">> {
  for (const command of CANDIDATES) {
    const text = await shell(command, ["-c", DESCRIBE]).catch(() => "");
    const [executable = "", version = "", dir = "", library = ""] = text.trim().split("\n");
    const minor = Number(/^3\.(\d+)$/.exec(version)?.[1]);
    const machine = path.join(dir, `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`);
    const libraryDir = [dir, machine].find((folder) => existsSync(path.join(folder, library)));
    if (minor >= 9 && minor <= 12 && library.includes(".so") && libraryDir) return { executable, version, libraryDir };
  }
  throw new Error(
    `The benchmark needs a Python 3.9 to 3.12 with a shared libpython for python_backend, but none of ${CANDIDATES.join(", ")} is one. Install one and put it on PATH.`,
  );
}

/** Makes a virtual environment with these packages, pinned and complete, unless it is there. Gives its Python. */
export async function makeVenv(folder: string, from: string, packages: readonly string[], say: Say): Promise<string> {
  const python = path.join(folder, "bin", "python3");
  const list = path.join(folder, "packages.txt");
  const wanted = packages.join("\n");
  if (existsSync(list) && readFileSync(list, "utf8") === wanted) return python;
  say(`installing into a virtual environment: ${packages.join(" ")}`);
  await shell(from, ["-m", "venv", "--clear", folder]);
  await shell(python, ["-m", "pip", "install", "--quiet", "--no-deps", ...packages]);
  writeFileSync(list, wanted);
  return python;
}

export async function makePython(folder: string, say: Say): Promise<Python> {
  const found = await findPython();
  const python = await makeVenv(folder, found.executable, PACKAGES, say);
  return { ...found, binDir: path.dirname(python), numpy: NUMPY };
}
