// SPDX-License-Identifier: Apache-2.0
// Native parts that were built elsewhere, for both processors: prebuilds/linux-x64 and prebuilds/linux-arm64 (scripts/build-release.mjs
// makes them). The package that npm installs is served from there; a checkout takes them when they were made of its own sources.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { contentOf, filesUnder } from "./digest.mjs";
import { inRoot } from "./paths.mjs";
import { newerVersion } from "./versions.mjs";

export const PARTS = ["libtriton_typescript.so", "triton_typescript_stub.node", "triton_typescript_client.node"];

/** What makes them in the native build; the rest of it are the C tests. */
export const TARGETS = ["triton_typescript", "triton_typescript_stub", "triton_typescript_client"];

/** Where the sources of the native build are. */
export const SOURCES = ["CMakeLists.txt", "backend-shim", "stub/native", "client/native"];

export const MANIFEST = "prebuilds/manifest.json";

/** The sources of the native parts; their tests are none of them. */
export function nativeSources() {
  return filesUnder(SOURCES, (name) => !name.split("/").includes("test"));
}

/** A digest over the contents of the sources, the same on every machine. */
export function sourcesDigest() {
  const hash = createHash("sha256");
  for (const file of nativeSources()) hash.update(`${file}\0${contentOf(file)}\n`);
  return hash.digest("hex");
}

/** This machine, as far as prebuilt parts care. */
export function thisMachine() {
  const { header } = process.report.getReport();
  return { platform: `${process.platform}-${process.arch}`, glibc: header.glibcVersionRuntime };
}

/**
 * The prebuilt parts for a machine: their folder, or why they do not serve; nothing when there are none at all. `digest` is that of the
 * sources here.
 */
export function findPrebuilds(machine = thisMachine(), digest = sourcesDigest, at = inRoot) {
  if (!existsSync(at(MANIFEST))) return {};
  const made = JSON.parse(readFileSync(at(MANIFEST), "utf8"));
  const folder = `prebuilds/${machine.platform}`;
  const lacking = PARTS.find((part) => !existsSync(at(folder, part)));
  if (lacking !== undefined) return { because: `there is no ${folder}/${lacking}` };
  if (machine.glibc === undefined) return { because: "they need the GNU C library" };
  if (newerVersion(made.glibc, machine.glibc)) {
    return { because: `they need glibc ${made.glibc} or newer, this system has ${machine.glibc}` };
  }
  if (made.sources !== digest()) return { because: "they were made of other sources" };
  return { folder };
}
