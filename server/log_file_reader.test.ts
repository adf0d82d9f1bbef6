// SPDX-License-Identifier: Apache-2.0
import { appendFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { LogFileReader } from "./log_file_reader.ts";
import { scratchFolder } from "./testing/scratch.ts";

it("gives the whole lines that came since, also of a file that was absent or is begun anew", () => {
  const scratch = scratchFolder();
  try {
    const file = path.join(scratch.folder, "log");
    const early = new LogFileReader(file);
    expect(early.read()).toEqual([]);
    writeFileSync(file, "before\nhalf");
    expect(early.read()).toEqual(["before"]);
    const late = new LogFileReader(file);
    appendFileSync(file, " of it\nafter\n");
    expect([early.read(), late.read()]).toEqual([
      ["half of it", "after"],
      [" of it", "after"],
    ]);
    writeFileSync(file, "new\n");
    expect(late.read()).toEqual(["new"]);
  } finally {
    scratch.remove();
  }
});
