// SPDX-License-Identifier: Apache-2.0
// Makes the archive of the Viam module for the registry: build/viam-module.tar.gz. In it are this package, as npm would publish
// it, the packages that it needs, and meta.json, so that a robot needs neither npm nor a compiler.
// node scripts/pack-viam.mjs [linux-x64|linux-arm64]: for that platform instead of this machine's.
import { copyFileSync } from "node:fs";
import path from "node:path";
import { buildPrebuilds } from "./lib/native_release.mjs";
import { installPackage, packPackage, withWorkFolder, writeTarball } from "./lib/packing.mjs";
import { inRoot } from "./lib/paths.mjs";
import { SetupError } from "./lib/process.mjs";
import { setup } from "./lib/setup.mjs";
import { PLATFORMS } from "./lib/zig.mjs";

const archive = inRoot("build", "viam-module.tar.gz");
const platform = process.argv[2] ?? `${process.platform}-${process.arch}`;

async function pack() {
  if (!Object.hasOwn(PLATFORMS, platform)) {
    const known = Object.keys(PLATFORMS).join(" or ");
    throw new SetupError(`The module is made for ${known}, not for ${platform}. Name one of them.`);
  }
  await buildPrebuilds();
  await withWorkFolder(async (work) => {
    const folder = path.join(work, "module");
    await installPackage(await packPackage(work), folder, platform);
    copyFileSync(inRoot("viam-module", "meta.json"), path.join(folder, "meta.json"));
    await writeTarball(archive, folder, ".");
  });
  console.log(`The module for ${platform} is in ${path.relative(process.cwd(), archive)}.`);
}

if (!(await setup())) process.exit(1);
try {
  await pack();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`pack:viam: ${error.message}`);
  process.exitCode = 1;
}
