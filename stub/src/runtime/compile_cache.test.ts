// SPDX-License-Identifier: Apache-2.0
import os from "node:os";
import { afterEach, expect, test, vi } from "vitest";
import { compileCacheFolder } from "./compile_cache.ts";

vi.mock("node:os", { spy: true });

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test("lies below XDG_CACHE_HOME, else below the home folder", () => {
  vi.stubEnv("XDG_CACHE_HOME", "/somewhere");
  expect(compileCacheFolder()).toBe("/somewhere/triton-typescript/compile");
  vi.stubEnv("XDG_CACHE_HOME", "relative");
  vi.stubEnv("HOME", "/home/someone");
  expect(compileCacheFolder()).toBe("/home/someone/.cache/triton-typescript/compile");
});

test("there is none for a user without a home folder", () => {
  vi.stubEnv("XDG_CACHE_HOME", "");
  for (const home of ["", "relative"]) {
    vi.mocked(os.homedir).mockReturnValue(home);
    expect(compileCacheFolder()).toBeUndefined();
  }
  vi.mocked(os.homedir).mockImplementation(() => {
    throw new Error("ENOENT: no such file or directory, uv_os_homedir");
  });
  expect(compileCacheFolder()).toBeUndefined();
});
