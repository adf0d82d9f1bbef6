// SPDX-License-Identifier: Apache-2.0
// arm64 programs on another machine: qemu's user emulation, and the libraries of an arm64 Debian, which apt-get fetches once into build/
// without installing anything.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { inRoot } from "./paths.mjs";
import { onPath } from "./process.mjs";

/** What Node and Triton need. */
const libraries = ["libc6", "libgcc-s1", "libstdc++6", "libatomic1", "zlib1g"];
const names = ["qemu-aarch64-static", "qemu-aarch64"];
const tools = (...parts) => inRoot("build", "tools", ...parts);

/** Runs apt-get; gives what it complains of, or nothing. */
function aptGet(args, cwd) {
  const { status, stderr } = spawnSync("apt-get", ["-q", ...args], { cwd, encoding: "utf8" });
  if (status === 0) return undefined;
  const word = stderr.split("\n").find((line) => line.startsWith("E:")) ?? stderr.trim();
  return `apt-get ${args.at(-1)} failed (${word})`;
}

/** Options for apt-get that make it look for packages of arm64, and note so in a folder of ours: this system learns nothing of it. */
function forArm64(folder) {
  mkdirSync(path.join(folder, "lists", "partial"), { recursive: true });
  mkdirSync(path.join(folder, "cache", "archives", "partial"), { recursive: true });
  writeFileSync(path.join(folder, "status"), "");
  const settings = {
    "APT::Architecture": "arm64",
    "APT::Architectures": "arm64",
    "Acquire::Languages": "none",
    "Dir::State::lists": path.join(folder, "lists"),
    "Dir::State::status": path.join(folder, "status"),
    "Dir::Cache": path.join(folder, "cache"),
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

/** Fetches packages of Debian, those of arm64 if told to, and unpacks them into a folder; gives why that did not work, or nothing. */
function unpackPackages(packages, folder, areArm64) {
  const lacking = ["apt-get", "dpkg-deb"].find((name) => !onPath(name));
  if (lacking !== undefined) return `there is no ${lacking} here, which fetches packages of Debian`;
  mkdirSync(tools(), { recursive: true });
  const work = mkdtempSync(tools("fetch-"));
  try {
    console.log(`Fetching ${packages.join(", ")} (once) ...`);
    const options = areArm64 ? forArm64(path.join(work, "apt")) : [];
    const failed =
      (areArm64 ? aptGet([...options, "update"], work) : undefined) ??
      aptGet([...options, "download", ...packages], work);
    if (failed !== undefined) return failed;
    const fresh = path.join(work, "root");
    for (const file of readdirSync(work).filter((name) => name.endsWith(".deb"))) {
      const { status, stderr } = spawnSync("dpkg-deb", ["-x", path.join(work, file), fresh], { encoding: "utf8" });
      if (status !== 0) return `${file} could not be unpacked: ${stderr.trim()}`;
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
    return undefined;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function ensureQemu() {
  const installed = names.find((name) => onPath(name));
  if (installed !== undefined) return { qemu: installed };
  const folder = tools("qemu");
  const qemu = path.join(folder, "usr", "bin", names[0]);
  const because = existsSync(qemu) ? undefined : unpackPackages(["qemu-user-static"], folder, false);
  return because === undefined ? { qemu } : { because };
}

/**
 * The command that runs an arm64 program here, as a list of words; or why there is none. On an arm64 machine it is empty.
 */
export function ensureEmulator() {
  if (process.platform === "linux" && process.arch === "arm64") return { command: [] };
  const { qemu, because } = ensureQemu();
  if (because !== undefined) return { because };
  const root = tools("arm64-root");
  if (!existsSync(root)) {
    const failed = unpackPackages(libraries, root, true);
    if (failed !== undefined) return { because: failed };
  }
  return { command: [qemu, "-L", root] };
}

/** A script that runs a command with more arguments, for who starts a program by its path. */
export function writeEmulated(file, command) {
  const words = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`, { mode: 0o755 });
  return file;
}
