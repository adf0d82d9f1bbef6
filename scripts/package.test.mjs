// SPDX-License-Identifier: Apache-2.0
// The package as npm would publish it: what its exports name is in it, and can be imported.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundledNode } from "./lib/paths.mjs";

const run = promisify(execFile);
const ROOT = path.join(import.meta.dirname, "..");

describe.skipIf(!existsSync(path.join(ROOT, "dist")))(
  "the package that is published (skipped without `npm run setup`)",
  () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), "triton-ts-package-"));
    const installed = path.join(folder, "node_modules", "triton-typescript");
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    beforeAll(async () => {
      await run("npm", ["pack", "--ignore-scripts", "--pack-destination", folder], { cwd: ROOT });
      mkdirSync(installed, { recursive: true });
      const archive = readdirSync(folder).find((name) => name.endsWith(".tgz"));
      await run("tar", ["-xzf", path.join(folder, archive), "-C", installed, "--strip-components=1"]);
      // What it depends on, as npm would install it.
      symlinkSync(path.join(ROOT, "node_modules"), path.join(installed, "node_modules"));
    }, 120_000);

    it("exports the model API and both clients, with their types", async () => {
      const wanted = {
        "triton-typescript": "InferenceResponse",
        "triton-typescript/client": "GrpcClient",
        "triton-typescript/client/http": "HttpClient",
      };
      const { exports } = JSON.parse(readFileSync(path.join(installed, "package.json"), "utf8"));
      const entries = Object.keys(exports).filter((entry) => entry !== "./package.json");
      expect(entries.map((entry) => path.join("triton-typescript", entry))).toEqual(Object.keys(wanted));
      for (const entry of entries) expect(existsSync(path.join(installed, exports[entry].types)), entry).toBe(true);
      // One class of tensors and errors, whichever entry they are taken from.
      const program = `
      const modules = await Promise.all(${JSON.stringify(Object.keys(wanted))}.map((name) => import(name)));
      const same = ["Tensor", "TritonError"].map((name) => new Set(modules.map((module) => module[name])).size);
      const names = ${JSON.stringify(Object.values(wanted))}.map((name, i) => typeof modules[i][name]);
      console.log(JSON.stringify({ same, names }));`;
      const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program], { cwd: folder });
      expect(JSON.parse(stdout)).toEqual({ same: [1, 1], names: ["function", "function", "function"] });
    });

    it("has what a process of a model loads in one file, but for the API, which models import", () => {
      const code = readFileSync(path.join(installed, "dist/stub/src/runtime/stub.js"), "utf8");
      const imported = [...code.matchAll(/^import .*"(\.[^"]*)";$/gm)].map(([, specifier]) => path.dirname(specifier));
      expect(new Set(imported)).toEqual(new Set(["../api"]));
    });

    it("loads no module of Node for such a process that takes much and is seldom needed", async () => {
      const stub = path.join(installed, "dist/stub/src/runtime/stub.js");
      const program = `await import(${JSON.stringify(stub)}); console.log(process.moduleLoadList.join());`;
      const { stdout } = await run(bundledNode(), ["--input-type=module", "--eval", program], { cwd: folder });
      const loaded = stdout.split(",");
      expect(loaded).toContain("NativeModule fs");
      for (const name of ["crypto", "vm", "child_process", "http"]) {
        expect(loaded, name).not.toContain(`NativeModule ${name}`);
      }
    });
  },
);
