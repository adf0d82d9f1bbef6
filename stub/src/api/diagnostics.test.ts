// SPDX-License-Identifier: Apache-2.0
// What the compiler tells who gives a tensor the wrong array. It speaks about the last overload that it tried.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
const api = fileURLToPath(new URL("./index.ts", import.meta.url));
const typeRoots = [join(dirname(dirname(dirname(compiler))), "@types")];

const snippet = `import { Tensor } from "triton-typescript";
export const numbers: number[] = [1, 2];
export const sound = [
  new Tensor("A", Float32Array.from(numbers), [2]),
  new Tensor("A", ["a", "b"], [2]),
  new Tensor("A", [true, false], [2]),
  new Tensor("A", new Uint16Array(2), [2], "FP16"),
];
export const inferred = new Tensor("B", numbers, [2]);
export const said = new Tensor("C", numbers, [2], "FP32");
`;

let folder: string;
let printed: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "diagnostics-test-"));
  writeFileSync(join(folder, "snippet.ts"), snippet);
  const options = {
    target: "ES2023",
    lib: ["ESNext"],
    module: "NodeNext",
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    typeRoots,
    types: ["node"],
    paths: { "triton-typescript": [api] },
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["snippet.ts"] }));
  printed = await new Promise((done) => {
    execFile(process.execPath, [compiler, "--pretty", "false", "-p", folder], { cwd: folder }, (_error, stdout) =>
      done(stdout),
    );
  });
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What is said about the line of the snippet that begins so. */
const saidOf = (beginning: string) => {
  const line = snippet.split("\n").findIndex((text) => text.startsWith(beginning)) + 1;
  return printed.split(/\n(?=\S)/).filter((text) => text.startsWith(`snippet.ts(${line},`));
};

test.each([
  ["the typed arrays", "export const inferred", /'number\[\]' is not assignable to .*Float16ArrayLike/],
  ["the array of its datatype", "export const said", /'number\[\]' is missing .* from type 'Float32Array/],
])("a number[] is compared with %s, not with booleans or undefined", (_what, line, words) => {
  expect(saidOf(line)).toEqual([expect.stringMatching(words)]);
  expect(saidOf(line)[0]).not.toMatch(/boolean|undefined/);
});

test("nothing is said about arrays that do", () => {
  expect(printed.match(/^\S.*error/gm)).toHaveLength(2);
});
