// SPDX-License-Identifier: Apache-2.0
// The native parts of a release, in prebuilds/.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { contentOf, stamp } from "./digest.mjs";
import { inRoot, root } from "./paths.mjs";
import { MANIFEST, PARTS, sourcesDigest, TARGETS } from "./prebuilds.mjs";
import { SetupError } from "./process.mjs";
import { releaseProblems } from "./release_checks.mjs";
import { crossBuild, OLDEST_GLIBC, PLATFORMS } from "./zig.mjs";

const platforms = Object.keys(PLATFORMS);

/** What says how the parts are made: a change of it makes other parts of the same sources. */
export const RECIPE = ["scripts/release-tools.txt", "scripts/lib/zig.mjs", "scripts/lib/native_release.mjs"];

/** A digest over the sources of the parts, and over how they are made. */
export function partsDigest(sources = sourcesDigest(), content = contentOf) {
  const hash = createHash("sha256").update(`${sources}\n`);
  for (const file of RECIPE) hash.update(`${file}\0${content(file)}\n`);
  return hash.digest("hex");
}

/** Whether prebuilds/ has all that belongs into it. */
export function prebuildsAreWhole(at = inRoot) {
  const parts = platforms.flatMap((platform) => PARTS.map((part) => at("prebuilds", platform, part)));
  return [at(MANIFEST), ...parts].every((file) => existsSync(file));
}

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
  await crossBuild({ platform, folder, options, targets: TARGETS });
  mkdirSync(inRoot("prebuilds", platform), { recursive: true });
  for (const part of PARTS) copyFileSync(inRoot(folder, "lib", part), inRoot("prebuilds", platform, part));
}

/** Builds the native parts of all platforms, unless they are there and made of the same sources in the same way, and checks them. */
export async function buildPrebuilds() {
  const sources = sourcesDigest();
  const digest = partsDigest(sources);
  const mark = stamp("build/release/.triton-typescript-prebuilds");
  if (!prebuildsAreWhole() || !mark.matches(digest)) {
    rmSync(inRoot("prebuilds"), { recursive: true, force: true });
    for (const platform of platforms) {
      console.log(`release: building the native parts for ${platform} ...`);
      await buildParts(platform);
    }
    const manifest = { glibc: OLDEST_GLIBC, sources };
    writeFileSync(inRoot(MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`);
    mark.write(digest);
  }
  for (const platform of platforms) checkParts(platform);
  console.log(
    `release: prebuilds/ holds the native parts for ${platforms.join(" and ")}, glibc ${OLDEST_GLIBC} or newer`,
  );
}
