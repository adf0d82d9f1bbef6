// SPDX-License-Identifier: Apache-2.0
// Makes the repository of these examples: `npx tsx examples/viam/make.ts ~/.viam/triton/repository`. Copies the models beside
// this file and those of `ocr`, and writes a small detector that has the tensors of EfficientDet-Lite4.
import { cpSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { onnxFile } from "../../backends/onnxruntime/testing/onnx_file.ts";

const here = path.dirname(fileURLToPath(import.meta.url));
const served = path.join(here, "..", "..", "model_repository");

const grid = 5;
const cells = grid * grid;

/** The cells of the grid as boxes: ymin, xmin, ymax, xmax, from 0 to 1. */
function boxes(): Float32Array {
  const box = (cell: number) => [Math.floor(cell / grid), cell % grid].map((at) => at / grid);
  const all = Array.from({ length: cells }, (_, cell) => box(cell)).map(([y = 0, x = 0]) => [
    y,
    x,
    y + 1 / grid,
    x + 1 / grid,
  ]);
  return Float32Array.from(all.flat());
}

/** Finds what is light: a sample of each cell of a grid, as its score, the lightest first. */
function detector(): Uint8Array {
  return onnxFile(
    [
      { op: "Cast", inputs: ["images"], outputs: ["floats"], attributes: { to: 1 } },
      { op: "Resize", inputs: ["floats", "", "", "grid"], outputs: ["samples"] },
      { op: "MatMul", inputs: ["samples", "weights"], outputs: ["means"] },
      { op: "Reshape", inputs: ["means", "flat"], outputs: ["scores"] },
      { op: "TopK", inputs: ["scores", "count"], outputs: ["output_1", "places"] },
      { op: "Gather", inputs: ["boxes", "places"], outputs: ["output_0"] },
      { op: "Mul", inputs: ["output_1", "zero"], outputs: ["output_2"] },
      { op: "Identity", inputs: ["found"], outputs: ["output_3"] },
    ],
    [{ name: "images", type: "UINT8", shape: [1, "height", "width", 3] }],
    [
      { name: "output_0", type: "FP32", shape: [1, cells, 4] },
      { name: "output_1", type: "FP32", shape: [1, cells] },
      { name: "output_2", type: "FP32", shape: [1, cells] },
      { name: "output_3", type: "FP32", shape: [1] },
    ],
    [
      { name: "grid", type: "INT64", shape: [4], data: BigInt64Array.of(1n, BigInt(grid), BigInt(grid), 3n) },
      { name: "weights", type: "FP32", shape: [3, 1], data: new Float32Array(3).fill(1 / 3 / 255) },
      { name: "flat", type: "INT64", shape: [2], data: BigInt64Array.of(1n, BigInt(cells)) },
      { name: "count", type: "INT64", shape: [1], data: BigInt64Array.of(BigInt(cells)) },
      { name: "boxes", type: "FP32", shape: [cells, 4], data: boxes() },
      { name: "zero", type: "FP32", shape: [1], data: new Float32Array(1) },
      { name: "found", type: "FP32", shape: [1], data: Float32Array.of(cells) },
    ],
  );
}

/** Puts all models into a folder, which is made if it is not there. */
export function makeRepository(folder: string): void {
  const ocr = readdirSync(served).filter((name) => /^ocr(_|$)/.test(name));
  const models: [string, string][] = [
    ...readdirSync(path.join(here, "models")).map((name): [string, string] => [name, path.join(here, "models", name)]),
    ...ocr.map((name): [string, string] => [name, path.join(served, name)]),
  ];
  // The contents of links, too: the repository must not need this folder.
  for (const [name, source] of models) cpSync(source, path.join(folder, name), { recursive: true, dereference: true });
  const effdet = path.join(folder, "efficientdet-lite4-detection");
  mkdirSync(path.join(effdet, "1"), { recursive: true });
  writeFileSync(path.join(effdet, "config.pbtxt"), 'backend: "onnxruntime"\n');
  writeFileSync(path.join(effdet, "1", "model.onnx"), detector());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , folder] = process.argv;
  if (folder === undefined) {
    console.error("Usage: npx tsx examples/viam/make.ts FOLDER");
    process.exit(2);
  }
  makeRepository(path.resolve(folder));
  console.log(`The models are in ${path.resolve(folder)}.`);
}
