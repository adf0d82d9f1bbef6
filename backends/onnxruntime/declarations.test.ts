// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readDeclarations } from "./declarations.ts";
import { type FileTensor, onnxFile } from "./testing/onnx_file.ts";

const folder = mkdtempSync(join(tmpdir(), "onnx-declarations-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, "model.onnx");

const inputs: FileTensor[] = [
  { name: "A", type: "FP32", shape: ["n", 300] },
  { name: "Größe", type: "BF16", shape: [] },
  { name: "S", type: "INT64", shape: [2], of: "sequence" },
];
const outputs: FileTensor[] = [
  { name: "O", type: "FP64", shape: [], of: "optional" },
  { name: "C", type: "COMPLEX64", shape: [1] },
];
const weights = { name: "W", type: "FP32", shape: [100_000], data: new Float32Array(100_000) } as const;
const bytes = onnxFile([{ op: "Neg", inputs: ["A"], outputs: ["C"] }], inputs, outputs, [
  weights,
  { name: "A", type: "FP32", shape: [1], data: new Float32Array(1) },
]);

test("names, types and constants are read", () => {
  writeFileSync(path, bytes);
  expect(readDeclarations(path)).toEqual({
    inputs: [
      { name: "A", type: "tensor(float32)" },
      { name: "Größe", type: "tensor(bfloat16)" },
      { name: "S", type: "sequence(tensor(int64))" },
    ],
    outputs: [
      { name: "O", type: "optional(tensor(float64))" },
      { name: "C", type: "tensor(complex64)" },
    ],
    constants: new Set(["W", "A"]),
  });
});

test("a file that is cut short, or none, has nothing to say", () => {
  writeFileSync(path, bytes);
  truncateSync(path, Math.floor(bytes.length / 2));
  expect(readDeclarations(path)).toBeUndefined();
  expect(readDeclarations(join(folder, "missing"))).toBeUndefined();
  expect(readDeclarations(folder)).toBeUndefined();
});

test.each([
  ["no bytes", []],
  ["a text", [..."not an ONNX file"].map((letter) => letter.charCodeAt(0))],
  ["a length without end", [0x3a, ...new Array(30).fill(0xff)]],
  ["a graph that is larger than the file", [0x3a, 0xff, 0xff, 0xff, 0x7f]],
  ["a name that is larger than its graph", [0x3a, 0x04, 0x5a, 0x02, 0x0a, 0x7f]],
  ["a group", [0x3b, 0x3b, 0x3b]],
])("bytes that are no model have nothing to say: %s", (_what, content) => {
  writeFileSync(path, Uint8Array.from(content));
  expect(readDeclarations(path)).toBeUndefined();
});
