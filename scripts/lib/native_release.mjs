// SPDX-License-Identifier: Apache-2.0
// The native parts of a release, in prebuilds/.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { stamp } from "./digest.mjs";
import { inRoot, root } from "./paths.mjs";
import { PARTS, sourcesDigest } from "./prebuilds.mjs";
import { SetupError } from "./process.mjs";
import { releaseProblems } from "./release_checks.mjs";
import { crossBuild, OLDEST_GLIBC, PLATFORMS } from "./zig.mjs";

const targets = ["triton_typescript", "triton_typescript_stub", "triton_typescript_client"];

/** Where the parts of a platform are built. */
export const buildFolder = (platform) => path.join("build", "release", platform);

function checkParts(platform) {
  const places = [root, os.homedir(), os.tmpdir()].filter((place) => place.length > 1);
  const wanted = { processor: PLATFORMS[platform].processor, glibc: OLDEST_GLIBC, places };
  const problems = PARTS.flatMap((part) =>
    releaseProblems(`${platform}/${part}`, readFileSync(inRoot("prebuilds", platform, part)), wanted),
  );
  if (problems.length > 0) throw new SetupError(problems.join("\n"));
}

async function buildParts(platform) {
  const folder = buildFolder(platform);
  const options = ["-DTSB_BUILD_TESTS=OFF", "-DTRITON_INCLUDE_DIR=", "-DCMAKE_MODULE_LINKER_FLAGS=-s"];
  await crossBuild({ platform, folder, options, targets });
  mkdirSync(inRoot("prebuilds", platform), { recursive: true });
  for (const part of PARTS) copyFileSync(inRoot(folder, "lib", part), inRoot("prebuilds", platform, part));
}

/** Builds the native parts of all platforms, unless they are there and made of the same sources, and checks them. */
export async function buildPrebuilds() {
  const digest = sourcesDigest();
  const mark = stamp("build/release/.triton-typescript-prebuilds");
  const platforms = Object.keys(PLATFORMS);
  const whole = platforms.every((platform) => PARTS.every((part) => existsSync(inRoot("prebuilds", platform, part))));
  if (!whole || !mark.matches(digest)) {
    rmSync(inRoot("prebuilds"), { recursive: true, force: true });
    for (const platform of platforms) {
      console.log(`release: building the native parts for ${platform} ...`);
      await buildParts(platform);
    }
    const manifest = { glibc: OLDEST_GLIBC, sources: digest };
    writeFileSync(inRoot("prebuilds", "manifest.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
    mark.write(digest);
  }
  for (const platform of platforms) checkParts(platform);
  console.log(
    `release: prebuilds/ holds the native parts for ${platforms.join(" and ")}, glibc ${OLDEST_GLIBC} or newer`,
  );
}
