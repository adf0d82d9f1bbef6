// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withLock } from "./lock.mjs";
import { run } from "./process.mjs";

describe("withLock", () => {
  let folder;
  let file;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), "lock-test-"));
    file = path.join(folder, "lock");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("lets one process work at a time", async () => {
    const program = `
      import { withLock } from ${JSON.stringify(new URL("./lock.mjs", import.meta.url).href)};
      import { appendFileSync } from "node:fs";
      await withLock(${JSON.stringify(file)}, async () => {
        appendFileSync(${JSON.stringify(path.join(folder, "log"))}, "in ");
        await new Promise((resolve) => setTimeout(resolve, 100));
        appendFileSync(${JSON.stringify(path.join(folder, "log"))}, "out ");
      });`;
    writeFileSync(path.join(folder, "program.mjs"), program);
    const codes = await Promise.all([1, 2, 3].map(() => run(process.execPath, [path.join(folder, "program.mjs")])));
    expect(codes).toEqual([0, 0, 0]);
    expect(readFileSync(path.join(folder, "log"), "utf8")).toBe("in out in out in out ");
    expect(readdirSync(folder).sort()).toEqual(["log", "program.mjs"]);
  });

  it("releases the lock after a failure, and passes the failure on", async () => {
    await expect(withLock(file, () => Promise.reject(new Error("inside")))).rejects.toThrow("inside");
    expect(existsSync(file)).toBe(false);
  });

  it("takes the lock of a process that is gone, also when its id was given away", async () => {
    writeFileSync(file, "999999999 1\n");
    expect(await withLock(file, () => "worked")).toBe("worked");
    writeFileSync(file, `${process.pid} 1\n`);
    expect(await withLock(file, () => "worked")).toBe("worked");
  });

  it("waits for an owner that lives, and tells so once", async () => {
    let told = 0;
    let first = true;
    const holder = withLock(file, async () => {
      await sleep(500);
      first = false;
    });
    await sleep(50);
    await withLock(
      file,
      () => expect(first).toBe(false),
      () => {
        told += 1;
      },
    );
    await holder;
    expect(told).toBe(1);
  });
});
