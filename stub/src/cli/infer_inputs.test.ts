// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ModelMetadata, TensorMetadata } from "../../../client/http/index.ts";
import { scratchFolder } from "../../../server/testing/scratch.ts";
import { makeInputs } from "./infer_inputs.ts";

function model(...inputs: TensorMetadata[]): ModelMetadata {
  return { name: "m", versions: ["1"], platform: "typescript", inputs, outputs: [] };
}
const floats = { name: "x", datatype: "FP32", shape: [-1, 4] };
const picture = { name: "IMAGE", datatype: "UINT8", shape: [-1] };

describe("makeInputs", () => {
  let scratch: ReturnType<typeof scratchFolder>;
  const file = (name: string) => path.join(scratch.folder, name);
  beforeAll(() => {
    scratch = scratchFolder();
    writeFileSync(file("photo.png"), new Uint8Array([1, 2, 3]));
    writeFileSync(file("x.bin"), new Uint8Array(32));
    writeFileSync(file("x.json"), "[[1,2,3,4]]");
  });
  afterAll(() => scratch.remove());
  const make = (metadata: ModelMetadata, input: string[], more: { image?: string; shape?: string[] } = {}) =>
    makeInputs(metadata, { input, shape: [], ...more });

  it("takes shapes from the model, from nested values and from --shape", () => {
    expect(make(model(floats), ["x=1,2,3,4,5,6,7,8"])[0]?.shape).toEqual([2, 4]);
    expect(make(model(floats), ["x=[[1,2,3,4]]"])[0]?.shape).toEqual([1, 4]);
    const open = { ...floats, shape: [-1, 3, -1, -1] };
    expect(make(model(open), ["x=[[[1,2]],[[3,4]],[[5,6]]]"])[0]?.shape).toEqual([1, 3, 1, 2]);
    expect(make(model(open), ["x=1,2,3"], { shape: ["x=1,3,1,1"] })[0]?.shape).toEqual([1, 3, 1, 1]);
    expect(make(model(open), ["x=1,2,3"], { shape: ["x=3,1,1"] })[0]?.shape).toEqual([1, 3, 1, 1]);
    expect(make(model({ ...floats, shape: [2, 2] }), ["x=1,2"], { shape: ["x=2"] })[0]?.shape).toEqual([2]);
    expect(() => make(model(open), ["x=1,2,3"], { shape: ["x=1,3,2,1"] })).toThrow(/asks for 6/);
  });

  it("reads files: bytes, JSON, one element for BYTES", () => {
    expect(make(model(floats), [`x=@${file("x.bin")}`])[0]?.shape).toEqual([2, 4]);
    expect(make(model(floats), [`x=@${file("x.json")}`])[0]?.shape).toEqual([1, 4]);
    const texts = { name: "t", datatype: "BYTES", shape: [-1] };
    expect([...(make(model(texts), [`t=@${file("photo.png")}`])[0]?.bytes ?? [])]).toEqual([3, 0, 0, 0, 1, 2, 3]);
    expect(() => make(model(floats), [`x=@${file("photo.png")}`])).toThrow(/not a multiple of the 4 bytes/);
    expect(() => make(model(floats), [`x=@${file("absent")}`])).toThrow(/does not exist/);
    expect(() => make(model(floats), [`x=@${scratch.folder}`])).toThrow(/is a folder/);
  });

  it("finds the input for a picture", () => {
    const image = file("photo.png");
    expect(make(model(picture), [], { image })).toMatchObject([{ name: "IMAGE", shape: [3] }]);
    expect(make(model(picture), [], { image: file("x.json") })[0]?.shape).toEqual([11]);
    expect(make(model({ ...picture, shape: [-1, -1] }), [], { image })[0]?.shape).toEqual([1, 3]);
    expect(make(model(picture, { ...picture, name: "MASK" }), [], { image })[0]?.name).toBe("IMAGE");
    expect(() => make(model({ ...picture, name: "a" }, { ...picture, name: "b" }), [], { image })).toThrow(/not clear/);
    expect(() => make(model(floats), [], { image })).toThrow(/not clear which input/);
  });

  it("says what the model needs", () => {
    expect(() => make(model(floats), [])).toThrow(/needs inputs: x FP32 \[-1, 4\]/);
    expect(() => make(model(floats), ["y=1"])).toThrow(/no input y. Its inputs are: x/);
    expect(() => make(model(floats), ["x"])).toThrow(/needs NAME=VALUE/);
    expect(() => make(model(floats), ["x=1,2,3,4", "x=5,6,7,8"])).toThrow(/^--input x is there twice\. Give each/);
    expect(() => make(model(floats), ["x=1"], { shape: ["x=1,a"] })).toThrow(/needs sizes/);
    expect(() => make(model(floats), ["x=1"], { shape: ["y=1"] })).toThrow(/no input y/);
    expect(() => make(model({ ...floats, datatype: "FP8" }), ["x=1"])).toThrow(/datatype FP8/);
  });
});
