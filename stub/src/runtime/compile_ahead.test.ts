// SPDX-License-Identifier: Apache-2.0

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { compileAhead } from "./compile_ahead.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "compile-ahead-"));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const ran = () => existsSync(join(root, "ran"));

/** A model whose module, and one that it imports, leave a file behind when they are run. */
function writeModel(more = ""): void {
  const run = `import { writeFileSync } from "node:fs";\nwriteFileSync(${JSON.stringify(join(root, "ran"))}, "");\n`;
  writeFileSync(join(root, "helper.ts"), `${run}export const answer: number = 42;\n`);
  writeFileSync(
    join(root, "model.ts"),
    `${run}import { answer } from "./helper.ts";\nimport { Tensor } from "triton-typescript";\nconst n: number = answer;\nexport default class { tensor = Tensor; n = n; }\n${more}`,
  );
}

const cache = () => join(root, "cache");

async function ahead(compileCacheDir = cache()): Promise<void> {
  await compileAhead({
    apiUrl: new URL("../api/index.ts", import.meta.url).href,
    file: join(root, "model.ts"),
    modelFolders: [root],
    lookupFolders: [root],
    compileCacheDir,
  });
}

const marks = () => readdirSync(join(cache(), "ahead"));
/** Everything that Node has kept, which lies in a folder named after its version. */
const kept = () => readdirSync(cache(), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());

describe("compileAhead", () => {
  it("keeps what a model and its imports come to, and runs neither", async () => {
    writeModel();
    await ahead();
    expect(ran()).toBe(false);
    expect(marks()).toHaveLength(1);
    // The model and its helper, stripped, beside the mark.
    expect(kept().length).toBeGreaterThanOrEqual(3);
  });

  it("does it once for a text, and again for another", async () => {
    writeModel();
    await ahead();
    for (const name of readdirSync(cache())) {
      if (name !== "ahead") rmSync(join(cache(), name), { recursive: true });
    }
    await ahead();
    expect(readdirSync(cache())).toEqual(["ahead"]);
    writeModel("// changed\n");
    await ahead();
    expect(marks()).toHaveLength(2);
    expect(kept().length).toBeGreaterThan(2);
  });

  it("leaves a model with a fault to the import, and tries it once", async () => {
    writeModel("this is no TypeScript\n");
    await ahead();
    expect(ran()).toBe(false);
    expect(marks()).toHaveLength(1);
  });

  it("does nothing where nothing can be kept", async () => {
    writeModel();
    writeFileSync(join(root, "file"), "");
    await ahead(join(root, "file"));
    expect(ran()).toBe(false);
  });

  it("leaves JavaScript alone", async () => {
    mkdirSync(cache());
    await compileAhead({
      apiUrl: "",
      file: join(root, "model.js"),
      modelFolders: [],
      lookupFolders: [],
      compileCacheDir: cache(),
    });
    expect(readdirSync(cache())).toEqual([]);
  });
});
