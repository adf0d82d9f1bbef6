// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { findPrebuilds, nativeSources, PARTS, sourcesDigest, thisMachine } from "./prebuilds.mjs";

const machine = { platform: "linux-arm64", glibc: "2.35" };
let folder;
const at = (...parts) => path.join(folder, ...parts);
const find = (who = machine, digest = "of the sources") => findPrebuilds(who, () => digest, at);

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "prebuilds-test-"));
  mkdirSync(at("prebuilds", "linux-arm64"), { recursive: true });
  for (const part of PARTS) writeFileSync(at("prebuilds", "linux-arm64", part), "");
  writeFileSync(at("prebuilds", "manifest.json"), JSON.stringify({ glibc: "2.31", sources: "of the sources" }));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("prebuilt parts serve where they fit", () => {
  expect(find()).toEqual({ folder: "prebuilds/linux-arm64" });
  expect(find({ ...machine, glibc: "2.31" })).toEqual({ folder: "prebuilds/linux-arm64" });
});

it("prebuilt parts that do not fit are left, and it is said why", () => {
  const [part] = PARTS;
  expect(find({ ...machine, platform: "linux-x64" })).toEqual({ because: `there is no prebuilds/linux-x64/${part}` });
  const old = find({ ...machine, glibc: "2.28" });
  expect(old).toEqual({ because: "they need glibc 2.31 or newer, this system has 2.28" });
  expect(find({ ...machine, glibc: undefined })).toEqual({ because: "they need the GNU C library" });
  expect(find(machine, "of others")).toEqual({ because: "they were made of other sources" });
  rmSync(at("prebuilds", "linux-arm64", PARTS[2]));
  expect(find()).toEqual({ because: `there is no prebuilds/linux-arm64/${PARTS[2]}` });
});

it("without a manifest there are none", () => {
  rmSync(at("prebuilds", "manifest.json"));
  expect(find()).toEqual({});
});

it("the sources are those of the native parts, without their tests", () => {
  const sources = nativeSources();
  for (const file of [
    "CMakeLists.txt",
    "backend-shim/shared/ring.c",
    "stub/native/addon.c",
    "client/native/shared_memory.c",
  ]) {
    expect(sources).toContain(file);
  }
  expect(sources.filter((file) => file.includes("test"))).toEqual([]);
  expect(sourcesDigest()).toMatch(/^[0-9a-f]{64}$/);
  expect(thisMachine().platform).toBe(`linux-${process.arch}`);
});
