// SPDX-License-Identifier: Apache-2.0
// This package with all that it needs, in a folder that another machine takes as it is.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { inRoot, outsideEnvironment } from "./paths.mjs";
import { runQuietly } from "./process.mjs";
import { PLATFORMS } from "./zig.mjs";

/** Packs this package as npm would publish it, into a folder; gives the archive. Not through npm's own scripts: all is built already. */
export async function packPackage(folder) {
  const env = outsideEnvironment();
  mkdirSync(folder, { recursive: true });
  for (const old of archivesIn(folder)) rmSync(path.join(folder, old));
  await runQuietly("npm", ["pack", "--ignore-scripts", "--pack-destination", folder], "Packing this package", { env });
  return path.join(folder, archivesIn(folder)[0]);
}

function archivesIn(folder) {
  return readdirSync(folder).filter((name) => /^triton-typescript-.*\.tgz$/.test(name));
}

/** Unpacks an archive of packPackage into a folder, and installs beside it what it needs on a platform. */
export async function installPackage(archive, folder, platform) {
  const env = outsideEnvironment();
  const { arch } = PLATFORMS[platform];
  mkdirSync(folder, { recursive: true });
  await runQuietly("tar", ["-xzf", archive, "-C", folder, "--strip-components=1"], "Unpacking this package");
  copyFileSync(inRoot("package-lock.json"), path.join(folder, "package-lock.json"));
  const machine = ["--os=linux", `--cpu=${arch}`, "--libc=glibc"];
  const install = ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", ...machine, "--prefix", folder];
  await runQuietly("npm", install, "Installing the packages that it needs", { env });
  rmSync(path.join(folder, "package-lock.json"));
  removeOthers(folder, platform);
}

/** Removes what is for other platforms, and what only compilers read. */
function removeOthers(folder, platform) {
  const { arch } = PLATFORMS[platform];
  const remove = (...parts) => rmSync(path.join(folder, ...parts), { recursive: true, force: true });
  for (const other of Object.keys(PLATFORMS)) if (other !== platform) remove("prebuilds", other);
  for (const part of ["include", "share", "CHANGELOG.md"]) remove("node_modules", `node-linux-${arch}`, part);
  const binaries = path.join("node_modules", "onnxruntime-node", "bin");
  for (const interfaces of existsSync(path.join(folder, binaries)) ? readdirSync(path.join(folder, binaries)) : []) {
    for (const system of readdirSync(path.join(folder, binaries, interfaces))) {
      if (system !== "linux") remove(binaries, interfaces, system);
    }
    for (const other of readdirSync(path.join(folder, binaries, interfaces, "linux"))) {
      if (other !== arch) remove(binaries, interfaces, "linux", other);
    }
  }
}

/**
 * The folder of a backend as Triton looks for it: the library, and beside it `runtime/`, the package with its own Node. Programs to call
 * by hand stand in runtime/bin.
 */
export async function makeBackendFolder(archive, folder, platform) {
  const { arch } = PLATFORMS[platform];
  const runtime = path.join(folder, "runtime");
  await installPackage(archive, runtime, platform);
  const library = "libtriton_typescript.so";
  copyFileSync(path.join(runtime, "prebuilds", platform, library), path.join(folder, library));
  symlinkSync(`../node_modules/node-linux-${arch}/bin/node`, path.join(runtime, "bin", "node"));
  symlinkSync("triton-ts.js", path.join(runtime, "bin", "triton-ts"));
}

/** A folder for work in build/, which is gone afterwards. */
export async function withWorkFolder(work) {
  mkdirSync(inRoot("build"), { recursive: true });
  const folder = mkdtempSync(inRoot("build", "packing-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes an archive of a folder, without times, owners and an order that are only this machine's. */
export async function writeTarball(archive, folder, name) {
  const same = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=2000-01-01T00:00:00Z"];
  const mode = ["--mode=u+w,go-w,a+rX"];
  await runQuietly(
    "tar",
    [...same, ...mode, "-I", "gzip -n", "-cf", archive, "-C", folder, name],
    "Writing the archive",
  );
}
