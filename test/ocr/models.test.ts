// SPDX-License-Identifier: Apache-2.0
// The step models as the server calls them, with fake requests.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InferenceResponse, type InitializeArgs, Tensor, TritonError } from "triton-typescript";
import { describe, expect, test } from "vitest";
import { fakeRequest } from "../../backends/onnxruntime/testing/fake_request.ts";
import ImagePreprocess from "../../model_repository/image_preprocess/1/model.ts";
import OcrCrops from "../../model_repository/ocr_crops/1/model.ts";
import OcrDecode from "../../model_repository/ocr_decode/1/model.ts";
import OcrPreprocess from "../../model_repository/ocr_preprocess/1/model.ts";
import OcrUpright from "../../model_repository/ocr_upright/1/model.ts";
import { readPictureFile } from "./accuracy.ts";

const repository = join(import.meta.dirname, "..", "..", "model_repository");

function args(parameters: Record<string, string> = {}): InitializeArgs {
  const entries = Object.entries(parameters).map(([key, text]) => [key, { string_value: text }]);
  return { modelConfig: { parameters: Object.fromEntries(entries) } } as unknown as InitializeArgs;
}

function outputs(answer: unknown): Record<string, Tensor> {
  expect(answer).toBeInstanceOf(InferenceResponse);
  return Object.fromEntries((answer as InferenceResponse).outputs.map((tensor) => [tensor.name, tensor]));
}

/** Names, datatypes and dims that a model's configuration gives its outputs. */
function configured(model: string): { name: string; datatype: string; dims: number[] }[] {
  const text = readFileSync(join(repository, model, "config.pbtxt"), "utf8");
  const section = /\noutput \[(.*?)\]\n[a-z]/s.exec(text)![1]!;
  return [...section.matchAll(/name: "(\w+)" data_type: TYPE_(\w+) dims: \[([^\]]*)\]/g)].map((match) => ({
    name: match[1]!,
    datatype: match[2] === "STRING" ? "BYTES" : match[2]!,
    dims: match[3]!.split(",").map(Number),
  }));
}

/** Checks an answer against the configuration of its model, as the server does. */
function expectConfigured(model: string, answer: unknown): void {
  const made = outputs(answer);
  const wanted = configured(model);
  expect(Object.keys(made).sort()).toEqual(wanted.map((tensor) => tensor.name).sort());
  for (const { name, datatype, dims } of wanted) {
    expect(made[name]!.datatype, name).toBe(datatype);
    expect(made[name]!.shape, name).toHaveLength(dims.length);
    for (const [i, side] of dims.entries()) if (side !== -1) expect(made[name]!.shape[i], name).toBe(side);
  }
}

const image = (bytes: Uint8Array) => fakeRequest([new Tensor("IMAGE", new Uint8Array(bytes), [bytes.length])]);

describe.each([
  ["ocr_preprocess", OcrPreprocess],
  ["image_preprocess", ImagePreprocess],
])("%s", (name, Model) => {
  test("answers pictures and refuses other bytes, each request for itself", async () => {
    const model = new Model();
    if (model instanceof OcrPreprocess) model.initialize(args());
    const answers = await model.execute([image(readPictureFile("stop_sign.jpg")), image(Buffer.from("no picture"))]);
    expectConfigured(name, answers[0]);
    expect(answers[1]).toBeInstanceOf(TritonError);
    expect((answers[1] as TritonError).code).toBe("INVALID_ARG");
    expect((answers[1] as TritonError).message).toMatch(/10 bytes that could not be decoded/);
  });
});

test("a parameter changes what a step does", async () => {
  const model = new OcrPreprocess();
  model.initialize(args({ DETECTION_SIDE: "320", MAX_SIDE: "320" }));
  const [answer] = await model.execute([image(readPictureFile("stop_sign.jpg"))]);
  expect(outputs(answer)["PIXELS"]!.shape).toEqual([256, 320, 3]);
  expect(() => model.initialize(args({ MAX_SIDE: "big" }))).toThrow(/MAX_SIDE/);
});

/** Runs the steps behind detection on a picture of 96 by 64 pixels; directions and letters are made up. */
function runSteps(map: Float32Array, letters: (rows: number) => Float32Array, steps: number) {
  const crops = new OcrCrops();
  crops.initialize(args());
  const pixels = new Tensor("PIXELS", new Uint8Array(64 * 96 * 3), [64, 96, 3]);
  const geometry = new Tensor("GEOMETRY", Float32Array.of(192, 128, 2, 2, 0), [5]);
  const [cut] = crops.execute([fakeRequest([new Tensor("PROBABILITY", map, [1, 1, 64, 96]), pixels, geometry])]);
  expectConfigured("ocr_crops", cut);
  const fromCrops = outputs(cut);

  const upright = new OcrUpright();
  upright.initialize(args());
  const windows = fromCrops["DIRECTION_INPUT"]!.shape[0]!;
  const direction = new Tensor("DIRECTION", new Float32Array(windows * 2).fill(0.5), [windows, 2]);
  const [turned] = upright.execute([fakeRequest([fromCrops["CROPS"]!, fromCrops["CROP_WIDTHS"]!, direction])]);
  expectConfigured("ocr_upright", turned);
  const batches = outputs(turned);

  const decode = new OcrDecode();
  decode.initialize(args());
  const scores = (name: string, rows: number) => new Tensor(name, letters(rows), [rows, steps, 6625]);
  const [text] = decode.execute([
    fakeRequest([
      scores("NARROW_SCORES", batches["NARROW"]!.shape[0]!),
      scores("WIDE_SCORES", batches["WIDE"]!.shape[0]!),
      batches["ROWS"]!,
      fromCrops["BOXES"]!,
    ]),
  ]);
  expectConfigured("ocr_decode", text);
  return outputs(text);
}

test("a line goes through all steps", () => {
  const map = new Float32Array(64 * 96);
  for (let y = 20; y < 35; y++) map.fill(0.9, y * 96 + 20, y * 96 + 70);
  // The space is the last letter of the alphabet.
  const result = runSteps(map, (rows) => new Float32Array(rows * 6625).map((_, i) => (i % 6625 === 6624 ? 0.8 : 0)), 1);
  expect(result["TEXT"]!.strings()).toEqual([" "]);
  expect(result["CONFIDENCE"]!.data[0]).toBeCloseTo(0.8);
  const box = Array.from(result["BOX"]!.data as Float32Array);
  // Grown by 9 pixels on each side, then in pixels of the original, which is twice as large.
  expect(box.slice(0, 2)).toEqual([22, 22]);
  expect(box[4]).toBeGreaterThan(140);
});

test("a picture without text goes through all steps and gives tensors without elements", () => {
  const result = runSteps(new Float32Array(64 * 96), (rows) => new Float32Array(rows * 6625).fill(0.9), 1);
  expect(result["TEXT"]!.shape).toEqual([0]);
  expect(result["CONFIDENCE"]!.shape).toEqual([0]);
  expect(result["BOX"]!.shape).toEqual([0, 4, 2]);
});

test("a picture with more text than can be read at once is the client's mistake", () => {
  const crops = new OcrCrops();
  crops.initialize(args());
  const map = new Float32Array(2000 * 1000);
  for (let y = 10; y < 990; y += 14)
    for (let row = y; row < y + 4; row++) map.fill(0.9, row * 2000 + 5, row * 2000 + 1990);
  const pixels = new Tensor("PIXELS", new Uint8Array(1000 * 2000 * 3), [1000, 2000, 3]);
  const geometry = new Tensor("GEOMETRY", Float32Array.of(2000, 1000, 1, 1, 0), [5]);
  const [answer] = crops.execute([fakeRequest([new Tensor("PROBABILITY", map, [1, 1, 1000, 2000]), pixels, geometry])]);
  expect(answer).toBeInstanceOf(TritonError);
  expect((answer as TritonError).code).toBe("INVALID_ARG");
});

test("scores of another network are refused", () => {
  const decode = new OcrDecode();
  decode.initialize(args());
  const small = (name: string) => new Tensor(name, new Float32Array(97), [1, 1, 97]);
  expect(() => decode.execute([fakeRequest([small("NARROW_SCORES"), small("WIDE_SCORES")])])).toThrow(
    /NARROW_SCORES has 97 scores a step, but the character list .* has 6625 letters/,
  );
});
