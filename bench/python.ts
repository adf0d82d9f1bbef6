// SPDX-License-Identifier: Apache-2.0
// A virtual environment with perf_analyzer, and the packages that the models of python_backend need.

import { existsSync } from "node:fs";
import path from "node:path";
import { shell } from "./shell.ts";

/** python_backend of this release answers with empty tensors, and no error, under numpy 2. */
const NUMPY = "1.26.4";
/** The last wheel of this kind that carries perf_analyzer. */
const TRITONCLIENT = "2.51.0";

const CANDIDATES = ["python3", "python3.12", "python3.11", "python3.10", "python3.9"];

export interface Python {
  /** The virtual environment's bin folder: first on the server's PATH, since python_backend looks only there. */
  binDir: string;
  /** Major and minor version, as in "3.11". */
  version: string;
  /** The folder of libpython, which the stub is linked to. */
  libraryDir: string;
  numpy: string;
}

const DESCRIBE = `
import sys, sysconfig
print(sys.executable)
print("%d.%d" % sys.version_info[:2])
print(sysconfig.get_config_var("LIBDIR") or "")
print(sysconfig.get_config_var("INSTSONAME") or "")
`;

interface Candidate {
  executable: string;
  version: string;
  libraryDir: string;
}

/** The first Python that has a stub, a numpy 1 wheel and a shared libpython. */
async function findPython(): Promise<Candidate> {
  for (const command of CANDIDATES) {
    const text = await shell(command, ["-c", DESCRIBE]).catch(() => "");
    const [executable = "", version = "", dir = "", library = ""] = text.trim().split("\n");
    const minor = Number(/^3\.(\d+)$/.exec(version)?.[1]);
    const libraryDir = [dir, path.join(dir, `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`)].find(
      (folder) => existsSync(path.join(folder, library)),
    );
    if (minor >= 9 && minor <= 12 && library.includes(".so") && libraryDir) return { executable, version, libraryDir };
  }
  throw new Error(
    `The benchmark needs a Python 3.9 to 3.12 with a shared libpython for python_backend, but none of ${CANDIDATES.join(", ")} is one. Install one and put it on PATH.`,
  );
}

/** Prints those of its arguments, each `name==version`, that are not installed in just that version. */
const MISSING = `
import sys
from importlib.metadata import PackageNotFoundError, version
for wanted in sys.argv[1:]:
    name, _, number = wanted.partition("==")
    try:
        if version(name) == number:
            continue
    except PackageNotFoundError:
        pass
    print(wanted)
`;

/** Makes the virtual environment at `venv`, or adds to it what it lacks. `packages` are pinned and complete. */
export async function makePython(
  venv: string,
  packages: readonly string[],
  say: (text: string) => void,
): Promise<Python> {
  const found = await findPython();
  const binDir = path.join(venv, "bin");
  const python = path.join(binDir, "python3");
  const wanted = [...new Set([`numpy==${NUMPY}`, `tritonclient==${TRITONCLIENT}`, ...packages])];
  const missing = async () => (await shell(python, ["-c", MISSING, ...wanted])).trim().split("\n").filter(Boolean);
  let lacking = await missing().catch(() => undefined);
  if (!lacking) {
    await shell(found.executable, ["-m", "venv", "--clear", venv]);
    lacking = wanted;
  }
  if (lacking.length > 0) {
    say(`installing into a virtual environment: ${lacking.join(" ")}`);
    await shell(python, ["-m", "pip", "install", "--quiet", "--no-deps", ...lacking]);
  }
  return { binDir, version: found.version, libraryDir: found.libraryDir, numpy: NUMPY };
}
