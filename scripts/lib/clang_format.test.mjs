// SPDX-License-Identifier: Apache-2.0
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ensureClangFormat } from "./clang_format.mjs";

let folder;

/** Puts a python3 on PATH that has a pip, and does what the script says when pip is to install. */
function fakePython(script) {
  const file = path.join(folder, "python3");
  writeFileSync(file, `#!/bin/sh\n[ "$3" = --version ] && exit 0\necho "$@" >>${folder}/calls\n${script}\n`);
  chmodSync(file, 0o755);
  vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
}

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "clang-format-test-"));
  vi.spyOn(console, "log").mockImplementation(() => {});
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

it("is fetched once", async () => {
  fakePython(
    'while [ "$1" != --target ]; do shift; done; mkdir -p "$2/clang_format/data/bin"; : >"$2/clang_format/data/bin/clang-format"',
  );
  const tools = path.join(folder, "tools");
  const first = await ensureClangFormat(path.join(tools, "one"));
  expect(first).toBe(path.join(tools, "one", "clang_format", "data", "bin", "clang-format"));
  expect(await ensureClangFormat(path.join(tools, "one"))).toBe(first);
  expect(readFileSync(path.join(folder, "calls"), "utf8")).toMatch(/^-m pip install .*clang-format==21\.1\.8\n$/);
  expect(readdirSync(tools)).toEqual(["one"]);
});

it("says what is missing when pip cannot fetch it, and leaves nothing half made", async () => {
  fakePython("exit 3");
  await expect(ensureClangFormat(path.join(folder, "tools", "one"))).rejects.toThrow(
    "clang-format 21.1.8 could not be fetched with pip, so the C sources are not checked: pip install failed (python3 ended with 3); its output is above. pip needs a package index that it can reach; PIP_INDEX_URL names another one.",
  );
  expect(readdirSync(path.join(folder, "tools"))).toEqual([]);
});

it("says so when there is no Python", async () => {
  vi.stubEnv("PATH", folder);
  await expect(ensureClangFormat(path.join(folder, "tools"))).rejects.toThrow("Python 3 with pip was not found");
});
