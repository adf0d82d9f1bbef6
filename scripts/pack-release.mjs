// SPDX-License-Identifier: Apache-2.0
// node scripts/pack-release.mjs: makes what a release consists of, in build/release: the package for npm, with native parts for x64 and
// arm64 in it, and for each of the two a tarball with the folder of the backend, its packages and its Node, which needs neither npm
// nor a compiler where it is unpacked.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { buildPrebuilds } from "./lib/native_release.mjs";
import { makeBackendFolder, packPackage, withWorkFolder, writeTarball } from "./lib/packing.mjs";
import { inRoot } from "./lib/paths.mjs";
import { SetupError } from "./lib/process.mjs";
import { setup } from "./lib/setup.mjs";
import { PLATFORMS } from "./lib/zig.mjs";

async function pack() {
  await buildPrebuilds();
  const { version } = JSON.parse(readFileSync(inRoot("package.json"), "utf8"));
  const target = inRoot("build", "release", "packages");
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  const files = [await packPackage(target)];
  for (const platform of Object.keys(PLATFORMS)) {
    console.log(`release: packing the tarball for ${platform} ...`);
    const file = path.join(target, `triton-typescript-${version}-${platform}.tar.gz`);
    await withWorkFolder(async (work) => {
      await makeBackendFolder(files[0], path.join(work, "typescript"), platform);
      await writeTarball(file, work, "typescript");
    });
    files.push(file);
  }
  const sums = files.map((file) => {
    const sum = createHash("sha256").update(readFileSync(file)).digest("hex");
    return `${sum}  ${path.basename(file)}\n`;
  });
  writeFileSync(path.join(target, "SHA256SUMS"), sums.join(""));
  console.log(`release: ${path.relative(process.cwd(), target)} holds\n${sums.join("")}`);
}

if (!(await setup())) process.exit(1);
try {
  await pack();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`release: ${error.message}`);
  process.exitCode = 1;
}
