// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tensor, TritonError } from "triton-typescript";
import { afterAll, describe, expect, test } from "vitest";
import { checkRequest } from "./batch.ts";
import { type Network, openNetwork } from "./network.ts";
import { isCuttable, runInPieces } from "./pieces.ts";
import { fakeRequest } from "./testing/fake_request.ts";
import { type FileNode, type FileTensor, onnxFile } from "./testing/onnx_file.ts";

const folder = mkdtempSync(join(tmpdir(), "onnx-pieces-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A network, and the first dimensions of the first input of each run that it makes. */
async function open(nodes: FileNode[], inputs: FileTensor[], outputs: FileTensor[]) {
  const file = join(mkdtempSync(join(folder, "n-")), "model.onnx");
  writeFileSync(file, onnxFile(nodes, inputs, outputs));
  const network = await openNetwork("m", file, {});
  const runs: number[] = [];
  const session = {
    run(...args: Parameters<typeof network.session.run>) {
      runs.push(Object.values(args[0])[0]!.dims[0]!);
      return network.session.run(...args);
    },
  };
  return { network: { ...network, session } as unknown as Network, runs };
}

const open1 = (op: string, type: FileTensor["type"], out: FileTensor["type"] = type) =>
  open(
    [{ op, inputs: ["A"], outputs: ["OUT"] }],
    [{ name: "A", type, shape: ["n", "w"] }],
    [{ name: "OUT", type: out, shape: op === "Shape" ? ["k"] : ["n", "w"] }],
  );

const check = (network: Network, ...inputs: Tensor[]) => checkRequest("m", network, false, fakeRequest(inputs), 0);

describe("a request in pieces", () => {
  test("has the outputs of a whole run", async () => {
    const { network, runs } = await open1("Neg", "FP32");
    const checked = check(
      network,
      new Tensor(
        "A",
        Float32Array.from({ length: 10 }, (_, i) => i + 1),
        [5, 2],
      ),
    );
    const response = await runInPieces("m", network, checked, 2, {});
    const out = response.output("OUT")!;
    expect(runs).toEqual([2, 2, 1]);
    expect(out.shape).toEqual([5, 2]);
    expect(Array.from(out.data as Float32Array)).toEqual([-1, -2, -3, -4, -5, -6, -7, -8, -9, -10]);
    expect(out.data.byteOffset).toBe(64);
  });

  test("of halves keeps their bits", async () => {
    const { network } = await open1("Identity", "FP16");
    const bits = Uint16Array.of(0x3c00, 0xc000, 0x7bff);
    const response = await runInPieces("m", network, check(network, new Tensor("A", bits, [3, 1], "FP16")), 1, {});
    expect(Array.from(response.output("OUT")!.data as Uint16Array)).toEqual([...bits]);
  });

  test("fails when an output has no row for each row", async () => {
    const { network } = await open1("Shape", "FP32", "INT64");
    const checked = check(network, new Tensor("A", new Float32Array(4), [4, 1]));
    const failure = await runInPieces("m", network, checked, 1, {}).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TritonError);
    expect((failure as TritonError).message).toMatch(/^Model 'm': output 'OUT' has the shape \[2\].*MAX_ROWS_PER_RUN/);
  });
});

test("a later piece whose outputs are of another shape fails the request", async () => {
  // NonZero gives as many rows as its input has dimensions, and a column for each number that is not zero.
  const { network } = await open(
    [{ op: "NonZero", inputs: ["A"], outputs: ["OUT"] }],
    [{ name: "A", type: "FP32", shape: ["n", "w"] }],
    [{ name: "OUT", type: "INT64", shape: ["k", "c"] }],
  );
  const checked = check(network, new Tensor("A", Float32Array.of(1, 1, 1, 0), [4, 1]));
  await expect(runInPieces("m", network, checked, 2, {})).rejects.toThrow(
    /^Model 'm': rows 2 to 3 could not be run like .*'OUT' has the shape \[2,1\], but \[2,2\] .*MAX_ROWS_PER_RUN/,
  );
});

describe("what can be cut", () => {
  test("is a request of more rows than a run may have", async () => {
    const { network } = await open1("Neg", "FP32");
    const checked = check(network, new Tensor("A", new Float32Array(3), [3, 1]));
    expect(isCuttable(network, checked, 2)).toBe(true);
    expect(isCuttable(network, checked, 3)).toBe(false);
    expect(isCuttable(network, checked, Number.POSITIVE_INFINITY)).toBe(false);
  });

  test("has no strings", async () => {
    const { network } = await open1("Identity", "BYTES");
    expect(isCuttable(network, check(network, new Tensor("A", ["a", "b"], [2, 1])), 1)).toBe(false);
  });

  test("has inputs of as many rows each", async () => {
    const tensor = (name: string): FileTensor => ({ name, type: "FP32", shape: ["n", "w"] });
    const nodes = [{ op: "Add", inputs: ["A", "B"], outputs: ["OUT"] }];
    const { network } = await open(nodes, [tensor("A"), tensor("B")], [tensor("OUT")]);
    const rows = (name: string, count: number) => new Tensor(name, new Float32Array(count), [count, 1]);
    expect(isCuttable(network, check(network, rows("A", 2), rows("B", 2)), 1)).toBe(true);
    expect(isCuttable(network, check(network, rows("A", 2), rows("B", 1)), 1)).toBe(false);
  });

  test.each([
    ["an input", [4, "w"], ["n", "w"]],
    ["an output", ["n", "w"], [4, "w"]],
  ] as const)("is not that of a network with %s of a fixed number of rows", async (_what, input, output) => {
    const { network } = await open(
      [{ op: "Neg", inputs: ["A"], outputs: ["OUT"] }],
      [{ name: "A", type: "FP32", shape: [...input] }],
      [{ name: "OUT", type: "FP32", shape: [...output] }],
    );
    const checked = check(network, new Tensor("A", new Float32Array(4), [4, 1]));
    expect(isCuttable(network, checked, 2)).toBe(false);
  });
});
