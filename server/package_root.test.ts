// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { howToBuild, nativePart } from "./package_root.ts";
import { scratchFolder } from "./testing/scratch.ts";

let scratch: ReturnType<typeof scratchFolder>;
beforeEach(() => {
  scratch = scratchFolder();
});
afterEach(() => scratch.remove());

function put(...folders: string[]): string {
  const folder = path.join(scratch.folder, ...folders);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "part.so"), "");
  return path.join(folder, "part.so");
}

it("a native part is what was built here, else what the package brings for this machine", () => {
  const built = path.join(scratch.folder, "build", "lib", "part.so");
  expect(nativePart("part.so", scratch.folder)).toBe(built); // neither: it is to be built
  const brought = put("prebuilds", `linux-${process.arch}`);
  expect(nativePart("part.so", scratch.folder)).toBe(brought);
  put("build", "lib");
  expect(nativePart("part.so", scratch.folder)).toBe(built);
});

it("a checkout can be built, an installed package cannot", () => {
  expect(howToBuild(scratch.folder)).toMatch(/packed without it\. Install the file that "npm run pack:release" makes/);
  writeFileSync(path.join(scratch.folder, "CMakeLists.txt"), "");
  expect(howToBuild(scratch.folder)).toContain(`Run "npm run setup" in ${scratch.folder}.`);
});
