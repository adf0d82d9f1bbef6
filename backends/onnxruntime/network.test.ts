// SPDX-License-Identifier: Apache-2.0
import { linkSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TritonError } from "triton-typescript";
import { afterAll, describe, expect, test } from "vitest";
import { openNetwork } from "./network.ts";
import { type FileTensor, onnxFile } from "./testing/onnx_file.ts";

const folder = mkdtempSync(join(tmpdir(), "onnx-network-"));
afterAll(() => rmSync(folder, { recursive: true }));

function put(bytes: Uint8Array, name = "model.onnx"): string {
  const file = join(mkdtempSync(join(folder, "n-")), name);
  writeFileSync(file, bytes);
  return file;
}

/** The error of opening a file; fails where it opens. */
async function failure(file: string): Promise<TritonError> {
  const error = await openNetwork("m", file, { logSeverityLevel: 4 }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TritonError);
  return error as TritonError;
}

const tensor = (name: string, type: FileTensor["type"] = "FP32"): FileTensor => ({ name, type, shape: ["n"] });

describe("an input or output that cannot travel is named, with its type and what to do", () => {
  test.each<[string, string, FileTensor, FileTensor, RegExp]>([
    [
      "an element type that the library has no name for",
      "Identity",
      tensor("IN", "BF16"),
      tensor("OUT", "BF16"),
      /input 'IN' .* type tensor\(bfloat16\), .* Add a Cast to the model, from float/,
    ],
    [
      "the same as output only",
      "Cast",
      tensor("IN"),
      tensor("OUT", "BF16"),
      /output 'OUT' .* type tensor\(bfloat16\), .* Add a Cast to the model, to float/,
    ],
    [
      "a sequence as output",
      "SplitToSequence",
      tensor("IN"),
      { ...tensor("OUT"), of: "sequence" },
      /output 'OUT' .* type sequence\(tensor\(float32\)\), .* end the model with ConcatFromSequence/,
    ],
    [
      "a sequence as input",
      "SequenceLength",
      { ...tensor("IN"), of: "sequence" },
      { name: "OUT", type: "INT64", shape: [] },
      /input 'IN' .* type sequence\(tensor\(float32\)\), .* begin the model with SequenceConstruct/,
    ],
    [
      "an optional tensor",
      "OptionalHasElement",
      { ...tensor("IN"), of: "optional" },
      { name: "OUT", type: "BOOL", shape: [] },
      /input 'IN' .* type optional\(tensor\(float32\)\), .* export the model without it/,
    ],
  ])("%s", async (_what, op, input, output, message) => {
    const nodes = [{ op, inputs: ["IN"], outputs: ["OUT"], ...(op === "Cast" ? { attributes: { to: 16 } } : {}) }];
    const error = await failure(put(onnxFile(nodes, [input], [output], [], 15)));
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^Model 'm': /);
    expect(error.code).toBe("UNSUPPORTED");
  });
});

describe("weights in a file of their own", () => {
  const bytes = onnxFile(
    [{ op: "Add", inputs: ["IN", "W"], outputs: ["OUT"] }],
    [tensor("IN")],
    [tensor("OUT")],
    [{ name: "W", type: "FP32", shape: [1], data: "weights.bin" }],
  );
  const elsewhere = () => put(Uint8Array.of(0, 0, 128, 63), "weights.bin");

  test("that are a link to another folder are refused with what to do", async () => {
    const file = put(bytes);
    symlinkSync(elsewhere(), join(file, "..", "weights.bin"));
    expect((await failure(file)).message).toMatch(/escapes model directory.* copy them there, make hard links/);
  });

  test("may be hard links, and the folder may be a link", async () => {
    const file = put(bytes);
    linkSync(elsewhere(), join(file, "..", "weights.bin"));
    const link = join(mkdtempSync(join(folder, "n-")), "1");
    symlinkSync(join(file, ".."), link);
    for (const path of [file, join(link, "model.onnx")]) {
      const { session } = await openNetwork("m", path, {});
      await session.release();
    }
  });
});
