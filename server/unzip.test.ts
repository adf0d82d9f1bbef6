// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { scratchFolder } from "./testing/scratch.ts";
import { type ZipMember, zipOf } from "./testing/zip.ts";
import { placeOf, unzip } from "./unzip.ts";

describe("unzip", () => {
  let scratch: ReturnType<typeof scratchFolder>;
  beforeEach(() => {
    scratch = scratchFolder();
  });
  afterEach(() => scratch.remove());

  const unpack = (members: ZipMember[], options = {}) => {
    const archive = path.join(scratch.folder, "a.zip");
    writeFileSync(archive, zipOf(members));
    return unzip(archive, path.join(scratch.folder, "out"), options);
  };

  it("unpacks what is wanted, with execute bits where asked", async () => {
    const names = await unpack(
      [
        { name: "bin/run", text: "#!" },
        { name: "bin/data", text: "data" },
        { name: "other/file", text: "no" },
      ],
      { accept: (name: string) => name.startsWith("bin/"), executable: (name: string) => name === "bin/run" },
    );
    expect(names).toEqual(["bin/run", "bin/data"]);
    expect(readFileSync(path.join(scratch.folder, "out/bin/data"), "utf8")).toBe("data");
    expect(statSync(path.join(scratch.folder, "out/bin/run")).mode & 0o111).toBe(0o111);
    expect(statSync(path.join(scratch.folder, "out/bin/data")).mode & 0o111).toBe(0);
    expect(existsSync(path.join(scratch.folder, "out/other"))).toBe(false);
  });

  it.each(["../evil", "a/../../evil", "/evil"])("refuses the name %s", async (name) => {
    await expect(unpack([{ name, text: "x" }])).rejects.toThrow();
    expect(existsSync(path.join(scratch.folder, "evil"))).toBe(false);
  });

  it("refuses a symbolic link", async () => {
    await expect(unpack([{ name: "link", text: "/etc/passwd", mode: 0o120777 }])).rejects.toThrow(/symbolic link/);
  });

  it("refuses unsafe names by its own check, whatever the library does", () => {
    for (const name of ["../x", "a/../../x", "/x", "a\\x", "a\0x"]) {
      expect(() => placeOf("/root/of/archive", name)).toThrow(/unsafe name/);
    }
    expect(placeOf("/root/of/archive", "a/b")).toBe("/root/of/archive/a/b");
  });
});
