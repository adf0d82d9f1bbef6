// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import fs, { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { checkCache, embeddedFolder, unsupported } from "./embedded_server.ts";
import { fileListDigest } from "./file_list.ts";
import { scratchFolder } from "./testing/scratch.ts";
import { arm64Wheel } from "./versions.ts";

const library = "nvidia_pytriton.libs/libssl.so";
const binary = "pytriton/tritonserver/bin/tritonserver";

const hashOf = (text: string) => createHash("sha256").update(text).digest("hex");

/** A server of one program and one library; what is pinned of it. */
function makeCache(folder: string) {
  const files = { [binary]: hashOf("server"), [library]: hashOf("library") };
  for (const [name, text] of Object.entries({ [binary]: "server", [library]: "library" })) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text, { mode: 0o755 });
  }
  writeFileSync(path.join(folder, "stamp.json"), JSON.stringify({ wheel: "of the wheel", files }));
  return { sha256: "of the wheel", filesSha256: fileListDigest(files) };
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
    const pins = makeCache(folder);
    expect(await checkCache(folder, pins)).toEqual({ state: "sound" });
  });

  it("finds a file that is missing, changed or no longer executable", async () => {
    const file = path.join(folder, binary);
    const pins = makeCache(folder);
    chmodSync(file, 0o644);
    expect(await checkCache(folder, pins)).toEqual({ state: "broken", file, what: "changed" });
    writeFileSync(file, "other!");
    chmodSync(file, 0o755);
    expect(await checkCache(folder, pins)).toEqual({ state: "broken", file, what: "changed" });
    rmSync(file);
    expect(await checkCache(folder, pins)).toEqual({ state: "broken", file, what: "missing" });
  });

  it("finds a file that is a link now, though its content is the same", async () => {
    const file = path.join(folder, library);
    const pins = makeCache(folder);
    renameSync(file, path.join(scratch.folder, "elsewhere"));
    symlinkSync(path.join(scratch.folder, "elsewhere"), file);
    expect(await checkCache(folder, pins)).toEqual({ state: "broken", file, what: "changed" });
  });

  it.each(["pytriton/tritonserver/lib/libadded.so", "added", "new/folder/deep/libadded.so"])(
    "finds what was added as %s",
    async (name) => {
      const pins = makeCache(folder);
      const file = path.join(folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      symlinkSync("/lib/x86_64-linux-gnu/libc.so.6", file);
      expect(await checkCache(folder, pins)).toEqual({ state: "broken", file, what: "unknown" });
      rmSync(file);
      expect(await checkCache(folder, pins)).toEqual({ state: "sound" });
      writeFileSync(file, "");
      expect(await checkCache(folder, pins)).toEqual({ state: "broken", file, what: "unknown" });
    },
  );

  it("does not trust the list that lies beside the files", async () => {
    const pins = makeCache(folder);
    const stamp = path.join(folder, "stamp.json");
    const broken = { state: "broken", file: stamp, what: "unreadable" };
    // Whoever changes a file changes the list, too.
    writeFileSync(path.join(folder, library), "changed");
    const files = { [binary]: hashOf("server"), [library]: hashOf("changed") };
    writeFileSync(stamp, JSON.stringify({ wheel: pins.sha256, files }));
    expect(await checkCache(folder, pins)).toEqual(broken);
    writeFileSync(stamp, JSON.stringify({ wheel: "other", files: {} }));
    expect(await checkCache(folder, pins)).toEqual(broken);
    rmSync(stamp);
    expect(await checkCache(folder, pins)).toEqual(broken);
    mkdirSync(stamp);
    expect(await checkCache(folder, pins)).toEqual(broken);
  });

  it("does not take one name that reads as two lines of the list for two files", async () => {
    const pins = makeCache(folder);
    const [libraryHash, binaryHash] = [hashOf("library"), hashOf("server")];
    const name = `${library}\n${binaryHash}  ${binary}`;
    const stamp = path.join(folder, "stamp.json");
    for (const whole of readdirSync(folder)) rmSync(path.join(folder, whole), { recursive: true });
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), "library");
    writeFileSync(stamp, JSON.stringify({ wheel: pins.sha256, files: { [name]: libraryHash } }));
    expect(await checkCache(folder, pins)).toEqual({ state: "broken", file: stamp, what: "unreadable" });
  });

  it("is broken where a part of it cannot be read", async () => {
    const pins = makeCache(folder);
    const denied = path.dirname(path.join(folder, library));
    const readdir = fs.readdirSync;
    // As root one could read it.
    const spied = vi.spyOn(fs, "readdirSync").mockImplementation(((where: string, options: object) => {
      if (where === denied) throw Object.assign(new Error("EACCES"), { code: "EACCES", path: where });
      return readdir(where, options);
    }) as typeof fs.readdirSync);
    syncBuiltinESMExports();
    try {
      expect(await checkCache(folder, pins)).toEqual({ state: "broken", file: denied, what: "unreadable" });
    } finally {
      spied.mockRestore();
      syncBuiltinESMExports();
    }
  });

  it("lies below XDG_CACHE_HOME, but not below a relative one", () => {
    vi.stubEnv("XDG_CACHE_HOME", "/somewhere");
    const suffix = process.arch === "x64" ? "" : `-${process.arch}`;
    expect(embeddedFolder()).toBe(`/somewhere/triton-typescript/servers/nvidia-pytriton-0.7.0${suffix}`);
    expect(embeddedFolder(arm64Wheel)).toMatch(/servers\/nvidia-pytriton-0\.7\.0-arm64$/);
    vi.stubEnv("XDG_CACHE_HOME", "relative");
    expect(embeddedFolder()).toMatch(/^\/.*\.cache\/triton-typescript/);
  });

  it("has no place where the user has no home folder", () => {
    vi.stubEnv("XDG_CACHE_HOME", "");
    vi.stubEnv("HOME", "relative");
    expect(() => embeddedFolder()).toThrow(/no home folder.*Set XDG_CACHE_HOME/);
  });
});

describe("unsupported", () => {
  it("lets the machines pass that a wheel is for", () => {
    expect(unsupported({ platform: "linux", arch: "x64", glibc: "2.35" })).toBeUndefined();
    expect(unsupported({ platform: "linux", arch: "x64", glibc: "3.0" })).toBeUndefined();
    expect(unsupported({ platform: "linux", arch: "arm64", glibc: "2.36" })).toBeUndefined();
    expect(unsupported({ platform: "linux", arch: "ppc64", glibc: "2.36" })?.message).toMatch(/x64 and arm64 only/);
    expect(unsupported({ platform: "darwin", arch: "arm64", glibc: undefined })?.message).toMatch(/darwin on arm64/);
    expect(unsupported({ platform: "linux", arch: "x64", glibc: "2.31" })?.message).toMatch(
      /needs glibc 2\.35.*has 2\.31/,
    );
    expect(unsupported({ platform: "linux", arch: "x64", glibc: undefined })?.message).toMatch(/GNU C library/);
  });

  it("lets no machine pass that another wheel is for", () => {
    const machine = { platform: "linux", arch: "x64", glibc: "2.36" };
    expect(unsupported({ ...machine, arch: "arm64" }, arm64Wheel)).toBeUndefined();
    expect(unsupported(machine, arm64Wheel)?.message).toMatch(/Linux on arm64 only, this is linux on x64/);
  });
});
