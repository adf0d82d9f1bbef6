// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InferenceSession } from "onnxruntime-node";
import { AutoCompleteConfig, type DataType, type ModelConfig } from "triton-typescript";
import { describe, expect, test, vi } from "vitest";
import { checkConfig, completeConfig, isComplete, withScalarShapes } from "./configuration.ts";
import type { Network, TensorInfo } from "./network.ts";
import { onnxFile } from "./testing/onnx_file.ts";

function tensor(name: string, shape: number[], datatype: DataType = "FP32"): TensorInfo {
  return { name, shape, datatype, onnxType: datatype === "INT64" ? "int64" : "float32" };
}

function network(inputs: TensorInfo[], outputs: TensorInfo[]): Network {
  return { file: "", session: {} as InferenceSession, inputs, outputs };
}

const batching = network([tensor("IN", [-1, 3])], [tensor("OUT", [-1, 2], "INT64")]);
const fixed = network([tensor("IN", [1, 3])], [tensor("OUT", [-1, 2])]);

function config(values: Partial<ModelConfig> = {}): ModelConfig {
  return { name: "m", platform: "", backend: "onnxruntime", max_batch_size: 0, input: [], output: [], ...values };
}

function complete(net: Network, values: Partial<ModelConfig> = {}, options: Record<string, string> = {}): ModelConfig {
  const auto = new AutoCompleteConfig(config(values));
  completeConfig(auto, net, options);
  return auto.config;
}

describe("completing", () => {
  test("a model that batches gets the default batch size, the dynamic batcher and dims without the batch", () => {
    const done = complete(batching);
    expect(done.max_batch_size).toBe(4);
    expect(done.dynamic_batching).toEqual({});
    expect(done.input).toEqual([{ name: "IN", data_type: "TYPE_FP32", dims: [3] }]);
    expect(done.output).toEqual([{ name: "OUT", data_type: "TYPE_INT64", dims: [2] }]);
  });

  test("default-max-batch-size gives the batch size, and 0 means no batching", () => {
    expect(complete(batching, {}, { "default-max-batch-size": "16" }).max_batch_size).toBe(16);
    const none = complete(batching, {}, { "default-max-batch-size": "0" });
    expect(none.max_batch_size).toBe(0);
    expect(none.input[0]!.dims).toEqual([-1, 3]);
    expect(none.dynamic_batching).toBeUndefined();
    expect(() => complete(batching, {}, { "default-max-batch-size": "many" })).toThrow(
      /default-max-batch-size.*"many"/,
    );
  });

  test("a batch size of the configuration stands, and 1 asks for no batcher", () => {
    const done = complete(batching, { max_batch_size: 1 });
    expect(done.max_batch_size).toBe(1);
    expect(done.dynamic_batching).toBeUndefined();
    expect(complete(batching, { max_batch_size: 32 }).max_batch_size).toBe(32);
  });

  test("a scheduler of the configuration stands", () => {
    const done = complete(batching, { max_batch_size: 8, sequence_batching: {} });
    expect(done.dynamic_batching).toBeUndefined();
  });

  test("a model with a fixed first dimension does not batch", () => {
    const done = complete(fixed);
    expect(done.max_batch_size).toBe(0);
    expect(done.input[0]!.dims).toEqual([1, 3]);
    expect(done.output[0]!.dims).toEqual([-1, 2]);
  });

  test("batches of a model that cannot batch are refused", () => {
    expect(() => complete(fixed, { max_batch_size: 8 })).toThrow(
      /Model 'm': max_batch_size is 8, but the model file cannot batch: input 'IN' has the shape \[1,3\]/,
    );
  });

  test("a row of a single value becomes [1] with a reshape", () => {
    const done = complete(network([tensor("IN", [-1])], [tensor("OUT", [-1])]));
    expect(done.input).toEqual([{ name: "IN", data_type: "TYPE_FP32", dims: [1], reshape: { shape: [] } }]);
    expect(done.output[0]!.reshape).toEqual({ shape: [] });
  });

  test("a configuration with inputs and outputs is complete", () => {
    const input = { name: "IN", data_type: "TYPE_FP32", dims: [3] } as const;
    expect(isComplete(config({ input: [{ ...input, dims: [3] }] }))).toBe(false);
    expect(isComplete(config({ input: [{ ...input, dims: [3] }], output: [{ ...input, dims: [3] }] }))).toBe(true);
  });
});

describe("checking", () => {
  const good = () => complete(batching);

  test("a completed configuration passes", () => {
    expect(() => checkConfig(good(), batching)).not.toThrow();
    expect(() => checkConfig(complete(fixed), fixed)).not.toThrow();
  });

  test("an input may fix a dimension that the file leaves open, an output may not", () => {
    const open = network([tensor("IN", [-1, -1])], [tensor("OUT", [-1, -1])]);
    const narrow = complete(open);
    narrow.input[0]!.dims = [7];
    expect(() => checkConfig(narrow, open)).not.toThrow();
    narrow.output[0]!.dims = [7];
    expect(() => checkConfig(narrow, open)).toThrow(/output 'OUT' the shape \[-1,7\].*\[-1,-1\]/);
  });

  test("an output may leave open what the file fixes, an input may not", () => {
    const wide = complete(fixed);
    wide.output[0]!.dims = [-1, -1];
    expect(() => checkConfig(wide, fixed)).not.toThrow();
    wide.output[0]!.dims = [3, -1];
    expect(() => checkConfig(wide, fixed)).toThrow(/output 'OUT' the shape \[3,-1\].*\[-1,2\]/);
    wide.output[0]!.dims = [-1, 2];
    wide.input[0]!.dims = [-1, 3];
    expect(() => checkConfig(wide, fixed)).toThrow(/input 'IN' the shape \[-1,3\].*\[1,3\]/);
  });

  test("an output that is all open may have other dimensions than the file says, with a warning", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const wide = complete(fixed);
    wide.output[0]!.dims = [-1, -1, -1];
    expect(() => checkConfig(wide, fixed)).not.toThrow();
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/output 'OUT' the shape \[-1,-1,-1\].*\[-1,2\]\. Answers/)],
    ]);
    wide.output[0]!.dims = [-1, -1, 2];
    expect(() => checkConfig(wide, fixed)).toThrow(/output 'OUT'/);
    warn.mockRestore();
  });

  test("a single value has dims of ones, without batches", () => {
    const single = network([tensor("IN", [])], [tensor("OUT", [])]);
    const done = complete(single);
    expect([done.max_batch_size, done.input[0]!.dims, done.output[0]!.dims]).toEqual([0, [1], [1]]);
    expect(() => checkConfig(done, single)).not.toThrow();
    done.input[0]!.dims = [1, 1];
    done.output[0]!.dims = [1, 1, 1];
    expect(() => checkConfig(done, single)).not.toThrow();
    expect(withScalarShapes(done, single).outputs[0]!.scalarShape).toEqual([1, 1, 1]);
    done.input[0]!.dims = [2];
    expect(() => checkConfig(done, single)).toThrow(
      /\[2\], but the model file has \[\], a single value: .* dims: \[1\]/,
    );
    done.input[0]!.dims = [1];
    expect(() => checkConfig({ ...done, max_batch_size: 2 }, single)).toThrow(/max_batch_size: 0/);
  });

  test("an input with a default in the file is refused as such", () => {
    const folder = mkdtempSync(join(tmpdir(), "onnx-default-"));
    const file = join(folder, "model.onnx");
    const scale = { name: "SCALE", type: "FP32", shape: [1] } as const;
    const one = (name: string) => ({ name, type: "FP32", shape: ["n", 3] }) as const;
    const nodes = [{ op: "Mul", inputs: ["IN", "SCALE"], outputs: ["OUT"] }];
    writeFileSync(file, onnxFile(nodes, [one("IN"), scale], [one("OUT")], [{ ...scale, data: Float32Array.of(2) }]));
    const input = { name: "SCALE", data_type: "TYPE_FP32", dims: [1], optional: true } as const;
    const wanted = { ...good(), input: [...good().input, { ...input, dims: [1] }] };
    expect(() => checkConfig(wanted, { ...batching, file })).toThrow(/'SCALE', which has a default in the model file/);
    expect(() => checkConfig(wanted, batching)).toThrow(/'SCALE', which the model file does not have/);
    rmSync(folder, { recursive: true });
  });

  const input = { name: "IN", data_type: "TYPE_FP32", dims: [3] } as const;
  const output = { name: "OUT", data_type: "TYPE_INT64", dims: [2] } as const;
  const ragged = { kind: "", target_name: [], data_type: "TYPE_FP32", source_input: [] } as const;
  const state = { input_name: "", output_name: "", data_type: "TYPE_FP32", dims: [] } as const;

  test.each<[string, object, RegExp]>([
    ["wrong datatype", { input: [{ ...input, data_type: "TYPE_FP16" }] }, /TYPE_FP16 for input 'IN'.*TYPE_FP32/],
    ["wrong dims", { input: [{ ...input, dims: [4] }] }, /input 'IN' the shape \[-1,4\] \(with the batch.*\[-1,3\]/],
    ["wrong rank", { output: [{ ...output, dims: [2, 2] }] }, /output 'OUT' the shape \[-1,2,2\].*\[-1,2\]/],
    ["missing input", { input: [] }, /needs the input 'IN' \(FP32 \[-1,3\]\)/],
    ["unknown input", { input: [input, { ...input, name: "X" }] }, /names the input 'X'.*it has 'IN'/],
    ["unknown output", { output: [{ ...output, name: "Y" }] }, /names the output 'Y'.*it has 'OUT'/],
    ["unknown control", { sequence_batching: { control_input: [{ name: "S", control: [] }] } }, /control input 'S'/],
    ["ragged batch", { batch_input: [ragged] }, /batch_input/],
    ["implicit state", { sequence_batching: { state: [state] } }, /sequence_batching\.state/],
  ])("%s is refused", (_what, patch, message) => {
    expect(() => checkConfig({ ...good(), ...patch }, batching)).toThrow(message);
  });

  test("a sequence control input is not asked for among the inputs", () => {
    const controlled = network([tensor("IN", [-1, 3]), tensor("START", [-1, 1])], [tensor("OUT", [-1, 2], "INT64")]);
    const withControl = good();
    withControl.sequence_batching = { control_input: [{ name: "START", control: [] }] };
    expect(() => checkConfig(withControl, controlled)).not.toThrow();
  });
});
