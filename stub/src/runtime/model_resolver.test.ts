// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";

const resolverUrl = new URL("./model_resolver.ts", import.meta.url).href;

test("the model's file is its own, also when the runtime that imports it is a package", () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "model-resolver-test-")));
  try {
    const runtime = join(root, "install/node_modules/runtime/index.mjs");
    const file = join(root, "repository/m/1/model.ts");
    for (const path of [runtime, file]) mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(runtime, "export const load = (url) => import(url);\n");
    writeFileSync(join(root, "package.json"), '{"type":"commonjs"}');
    writeFileSync(file, "export const value: number = 5;\n");
    const options = { apiUrl: resolverUrl, file, modelFolders: [join(root, "repository")], lookupFolders: [] };
    const script = `
      import { installResolver } from ${JSON.stringify(resolverUrl)};
      import { load } from ${JSON.stringify(pathToFileURL(runtime).href)};
      const resolver = installResolver(${JSON.stringify(options)});
      const { value } = await load(${JSON.stringify(pathToFileURL(file).href)});
      console.log(JSON.stringify([value, ...resolver.files]));`;
    const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
    expect(JSON.parse(output)).toEqual([5, file]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
