// SPDX-License-Identifier: Apache-2.0
import { execFile } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "../../../server/package_root.ts";

// tritonclient reads its version through pkg_resources, which newer releases of setuptools no longer have.
const packages = ["tritonclient[http,grpc]==2.51.0", "setuptools<81"];
const folder = path.join(packageRoot, ".venv-test");
const stampFile = path.join(folder, "packages.txt");
const run = promisify(execFile);

async function python(command: string, ...args: string[]): Promise<string> {
  try {
    return (await run(command, args, { maxBuffer: 1 << 26 })).stdout.trim();
  } catch (error) {
    const { stderr = "", message } = error as Error & { stderr?: string };
    throw new Error(`The Python environment of the tests could not be made (${message}). ${stderr.slice(-2000)}`);
  }
}

/** Makes the virtual environment with tritonclient, unless it is there, and gives the path of its Python. */
export async function ensurePython(): Promise<string> {
  const executable = path.join(folder, "bin", "python");
  const wanted = `${packages.join("\n")}\n`;
  if (existsSync(executable) && existsSync(stampFile) && readFileSync(stampFile, "utf8") === wanted) return executable;
  process.stderr.write(`Making ${folder} with ${packages.join(", ")} ...\n`);
  // Debian's Python cannot put pip into an environment without a package of its own, so the pip beside it installs.
  await python("python3", "-m", "venv", "--clear", "--without-pip", folder);
  const target = await python(executable, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))");
  const quiet = ["--quiet", "--disable-pip-version-check"];
  await python("python3", "-m", "pip", "install", ...quiet, "--target", target, ...packages);
  writeFileSync(stampFile, wanted);
  return executable;
}
