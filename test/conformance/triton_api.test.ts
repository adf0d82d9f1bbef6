// SPDX-License-Identifier: Apache-2.0
// Our declarations of Triton's API are those that the library calls, or that the server calls in it: what is declared beyond that
// would be compared with each release, and promised to be asked for, for nothing.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const folder = join(import.meta.dirname, "..", "..", "backend-shim", "src");
const HEADER = "triton_api.h";

test("each function that is declared is used by the library", () => {
  const header = readFileSync(join(folder, HEADER), "utf8");
  const declared = [...header.matchAll(/\b(TRITON(?:SERVER|BACKEND)_[A-Z]\w*)\(/g)].map(([, name]) => name!);
  const sources = readdirSync(folder).filter((name) => /\.[ch]$/.test(name) && name !== HEADER);
  const used = new Set(
    sources.flatMap((name) => readFileSync(join(folder, name), "utf8").match(/\bTRITON(?:SERVER|BACKEND)_\w+/g) ?? []),
  );
  expect(declared.length).toBeGreaterThan(100);
  expect(declared.filter((name) => !used.has(name))).toEqual([]);
});
