// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { makeBackendFolder, planBackends } from "./backend_folder.ts";
import { scratchFolder } from "./testing/scratch.ts";

describe("planBackends", () => {
  let scratch: ReturnType<typeof scratchFolder>;
  const library = "/package/build/lib/libtriton_typescript.so";
  beforeEach(() => {
    scratch = scratchFolder();
    vi.stubEnv("XDG_CACHE_HOME", path.join(scratch.folder, "cache"));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    scratch.remove();
  });

  function backends(name: string, files: string[]): string {
    const folder = path.join(scratch.folder, name);
    for (const file of files) {
      mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      writeFileSync(path.join(folder, file), "");
    }
    return folder;
  }

  it("links our library beside the files of a TypeScript-based backend", () => {
    const builtIn = backends("builtin", ["onnxruntime/model.ts", "onnxruntime/session.ts"]);
    const links = planBackends({ library, builtIn, users: [] });
    expect([...links]).toEqual([
      ["onnxruntime/libtriton_onnxruntime.so", library],
      ["onnxruntime/model.ts", path.join(builtIn, "onnxruntime/model.ts")],
      ["onnxruntime/session.ts", path.join(builtIn, "onnxruntime/session.ts")],
      ["typescript/libtriton_typescript.so", library],
    ]);
  });

  it("lets an installed Triton's compiled backend win over ours, but never over our library", () => {
    const builtIn = backends("builtin", ["onnxruntime/model.ts"]);
    const installed = backends("installed", [
      "onnxruntime/libtriton_onnxruntime.so",
      "python/libtriton_python.so",
      "typescript/libtriton_typescript.so",
    ]);
    const links = planBackends({ library, builtIn, installed, users: [] });
    expect(links.get("onnxruntime")).toBe(path.join(installed, "onnxruntime"));
    expect(links.get("python")).toBe(path.join(installed, "python"));
    expect(links.get("typescript/libtriton_typescript.so")).toBe(library);
    expect(links.has("typescript")).toBe(false);
  });

  it("lets the user's folders win over all, the last one first", () => {
    const builtIn = backends("builtin", ["mine/model.ts"]);
    const users = [backends("one", ["mine/model.ts"]), backends("two", ["mine/model.mjs"])];
    const links = planBackends({ library, builtIn, users });
    expect(links.has("mine/model.ts")).toBe(false);
    expect(links.get("mine/model.mjs")).toBe(path.join(users[1] ?? "", "mine/model.mjs"));
  });

  it("refuses a folder that is not there, or that is a backend itself", () => {
    const folder = backends("user", ["mine/model.ts"]);
    const plan = (user: string) => () => planBackends({ library, builtIn: "/none", users: [user] });
    expect(plan(path.join(folder, "absent"))).toThrow(/does not exist/);
    expect(plan(path.join(folder, "mine"))).toThrow(/is a backend itself/);
  });

  it("makes the folder once for the same links, and another for others", () => {
    const builtIn = backends("builtin", ["mine/model.ts"]);
    const links = planBackends({ library, builtIn, users: [] });
    const folder = makeBackendFolder(links);
    expect(readlinkSync(path.join(folder, "mine/libtriton_mine.so"))).toBe(library);
    expect(makeBackendFolder(links)).toBe(folder);
    expect(makeBackendFolder(new Map([["python", "/somewhere"]]))).not.toBe(folder);
    expect(readdirSync(path.join(scratch.folder, "cache/triton-typescript/tmp"))).toEqual([]);
  });

  it("makes the folder for every user of the cache", () => {
    const folder = makeBackendFolder(new Map([["mine/model.ts", "/somewhere/model.ts"]]));
    expect(statSync(folder).mode & 0o777).toBe(0o755);
    expect(statSync(path.join(folder, "mine")).mode & 0o055).toBe(0o055);
  });

  it("says what to do about one that another user has closed", () => {
    const links = new Map([["python", "/somewhere"]]);
    const folder = makeBackendFolder(links);
    rmSync(folder, { recursive: true });
    writeFileSync(folder, ""); // as unreadable as a folder of mode 0700 is to another user; this may be root
    expect(() => makeBackendFolder(links)).toThrow(/cannot be read by this user.*set XDG_CACHE_HOME/);
  });
});
