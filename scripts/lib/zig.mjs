// SPDX-License-Identifier: Apache-2.0
// zig as the C compiler of the releases: it brings the headers and symbols of every release of glibc for both processors, so that what it
// makes here runs on systems that are older than this one. pip fetches it once into build/.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { inRoot } from "./paths.mjs";
import { ensurePipTool } from "./pip_tool.mjs";
import { runQuietly } from "./process.mjs";

/** The oldest glibc that the releases run on: that of Ubuntu 20.04, and so of JetPack 5. */
export const OLDEST_GLIBC = "2.31";

/** The platforms that releases are made for: as Node names them, and as compilers name their processor. */
export const PLATFORMS = {
  "linux-x64": { arch: "x64", processor: "x86_64" },
  "linux-arm64": { arch: "arm64", processor: "aarch64" },
};

const requirements = "scripts/release-tools.txt";

function ensureZig() {
  const version = /^ziglang==(\S+)/m.exec(readFileSync(inRoot(requirements), "utf8"))[1];
  return ensurePipTool({
    name: "zig",
    version,
    wanted: ["--require-hashes", "--only-binary", ":all:", "--requirement", inRoot(requirements)],
    folder: inRoot("build", "tools", `zig-${version}`),
    inside: path.join("ziglang", "zig"),
    lacks: "nothing is built for other machines",
  });
}

const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;

/** CMake takes programs without arguments only, so each of zig's is a script. Gives their folder. */
async function writeTools(processor) {
  const zig = await ensureZig();
  const folder = inRoot("build", "release", "tools", processor);
  mkdirSync(folder, { recursive: true });
  // No path of this machine may stand in what is made.
  const cc = `cc -target ${processor}-linux-gnu.${OLDEST_GLIBC} -fno-sanitize=undefined ${quoted(`-ffile-prefix-map=${inRoot()}/=`)}`;
  for (const [name, command] of Object.entries({ cc, ar: "ar", ranlib: "ranlib" })) {
    const caches = inRoot("build", "tools", "zig-cache");
    const environment = ["GLOBAL", "LOCAL"].map((kind) => `ZIG_${kind}_CACHE_DIR=${quoted(caches)}`).join(" ");
    const script = `#!/bin/sh\n${environment} exec ${quoted(zig)} ${command} "$@"\n`;
    writeFileSync(path.join(folder, name), script, { mode: 0o755 });
  }
  return folder;
}

/** Configures a build for another machine in a folder, and makes the targets there. */
export async function crossBuild({ platform, folder, options, targets }) {
  const { processor } = PLATFORMS[platform];
  const tools = await writeTools(processor);
  const tool = { C_COMPILER: "cc", AR: "ar", RANLIB: "ranlib" };
  const configure = [
    ...["-S", ".", "-B", folder, "-DCMAKE_BUILD_TYPE=Release"],
    ...["-DCMAKE_SYSTEM_NAME=Linux", `-DCMAKE_SYSTEM_PROCESSOR=${processor}`],
    ...Object.entries(tool).map(([variable, name]) => `-DCMAKE_${variable}=${path.join(tools, name)}`),
    ...options,
  ];
  await runQuietly("cmake", configure, `Configuring the native build for ${platform}`);
  const named = targets === undefined ? [] : ["--target", ...targets];
  await runQuietly("cmake", ["--build", folder, "-j2", ...named], `The native build for ${platform}`);
}
