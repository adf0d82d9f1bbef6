// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { partsDigest, prebuildsAreWhole, RECIPE } from "./native_release.mjs";
import { MANIFEST, PARTS } from "./prebuilds.mjs";
import { PLATFORMS } from "./zig.mjs";

it("other sources, another compiler and other options make other parts", () => {
  for (const file of ["scripts/release-tools.txt", "scripts/lib/zig.mjs", "scripts/lib/native_release.mjs"]) {
    expect(RECIPE).toContain(file);
  }
  const digestWith = (changed) => partsDigest("sources", (file) => (file === changed ? "new" : "old"));
  const digests = [partsDigest("other sources", () => "old"), digestWith(undefined), ...RECIPE.map(digestWith)];
  expect(new Set(digests).size).toBe(digests.length);
  expect(digestWith(undefined)).toBe(digestWith(undefined));
  expect(partsDigest()).toMatch(/^[0-9a-f]{64}$/);
});

it("prebuilds/ is whole with all parts of all platforms and the manifest", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "native-release-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const at = (...parts) => path.join(folder, ...parts);
  const files = [
    MANIFEST,
    ...Object.keys(PLATFORMS).flatMap((name) => PARTS.map((part) => `prebuilds/${name}/${part}`)),
  ];
  for (const file of files) {
    mkdirSync(path.dirname(at(file)), { recursive: true });
    writeFileSync(at(file), "");
  }
  expect(prebuildsAreWhole(at)).toBe(true);
  for (const file of files) {
    rmSync(at(file));
    expect(prebuildsAreWhole(at), file).toBe(false);
    writeFileSync(at(file), "");
  }
});
