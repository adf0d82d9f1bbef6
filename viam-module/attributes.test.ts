// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { AttributeError, type Json, readAttributes } from "./attributes.ts";

const least = { model_name: "m", model_repository_path: "/models" };

function mistakesOf(given: { readonly [key: string]: Json }): readonly string[] {
  try {
    readAttributes(given);
  } catch (error) {
    if (error instanceof AttributeError) return error.mistakes;
    throw error;
  }
  return [];
}

test("the configuration in the README of Viam's C++ module", () => {
  const read = readAttributes({
    backend_directory: "/opt/tritonserver/backends",
    model_name: "efficientdet-lite4-detection",
    model_version: 1,
    model_repository_path: "/path/to/.viam/triton/repository",
    preferred_input_memory_type_id: 0,
    preferred_input_memory_type: "gpu",
    tensor_name_remappings: {
      outputs: { output_3: "n_detections", output_0: "location", output_1: "score", output_2: "category" },
      inputs: { images: "image" },
    },
  });
  expect(read).toEqual({
    modelName: "efficientdet-lite4-detection",
    modelRepositoryPath: "/path/to/.viam/triton/repository",
    backendDirectory: "/opt/tritonserver/backends",
    modelVersion: 1,
    preferredInputMemoryType: "gpu",
    preferredInputMemoryTypeId: 0,
    remappings: {
      inputs: { images: "image" },
      outputs: { output_0: "location", output_1: "score", output_2: "category", output_3: "n_detections" },
    },
    serverUrl: undefined,
    labels: undefined,
    labelPath: undefined,
    startTimeoutMs: 100_000,
    logLevel: undefined,
    modelParameters: {},
    streaming: "first_response",
    bytesOutputs: "leave_out",
  });
});

test("everything beyond that module", () => {
  const read = readAttributes({
    model_name: "m",
    server_url: "grpc://triton.local:8001/",
    labels: ["cat", "dog"],
    start_timeout_seconds: 2.5,
    log_level: "debug",
    model_parameters: { threshold: 0.5, top: 3, fast: true, unit: "m" },
    streaming: "refuse",
    bytes_outputs: "json",
    backend_directory: null,
  });
  expect(read).toMatchObject({
    serverUrl: "triton.local:8001",
    modelRepositoryPath: undefined,
    backendDirectory: undefined,
    labels: ["cat", "dog"],
    startTimeoutMs: 2500,
    logLevel: "debug",
    modelParameters: { threshold: 0.5, top: 3, fast: true, unit: "m" },
    streaming: "refuse",
    bytesOutputs: "json",
  });
  expect(readAttributes({ ...least, label_path: "/labels.txt" }).labelPath).toBe("/labels.txt");
});

describe("mistakes", () => {
  test("an unknown attribute, with the nearest right name", () => {
    expect(mistakesOf({ ...least, modle_version: 1 })).toEqual([
      'There is no attribute "modle_version". Did you mean "model_version"?',
    ]);
    expect(mistakesOf({ ...least, labelpath: "x" })).toEqual([
      'There is no attribute "labelpath". Did you mean "label_path"?',
    ]);
    expect(mistakesOf({ ...least, colour: "red" })).toEqual(['There is no attribute "colour".']);
    expect(mistakesOf({ ...least, toString: "x" })).toEqual(['There is no attribute "toString".']);
  });

  test("what is missing", () => {
    expect(mistakesOf({})).toEqual([
      expect.stringMatching(/^The attribute "model_name" is missing: /),
      expect.stringMatching(/^The attribute "model_repository_path" is missing: .*"server_url"/),
    ]);
  });

  test.each<[string, Json, string]>([
    ["model_name", 3, 'The attribute "model_name" must be a string, not 3.'],
    ["model_name", " ", 'The attribute "model_name" must not be empty.'],
    ["model_version", 0, 'The attribute "model_version" must be a whole number of at least 1, not 0.'],
    ["model_version", 1.5, 'The attribute "model_version" must be a whole number of at least 1, not 1.5.'],
    ["model_version", "1", 'The attribute "model_version" must be a whole number of at least 1, not "1".'],
    ["preferred_input_memory_type_id", -1, "a whole number of at least 0, not -1."],
    ["preferred_input_memory_type", "GPU", 'must be one of "cpu", "cpu-pinned", "gpu", not "GPU"; did you mean "gpu"?'],
    ["preferred_input_memory_type", "disk", 'must be one of "cpu", "cpu-pinned", "gpu", not "disk".'],
    ["log_level", 1, 'must be one of "debug", "info", "warning", "error", not 1.'],
    ["tensor_name_remappings", [], 'The attribute "tensor_name_remappings" must be an object, not [].'],
    ["tensor_name_remappings", { output: {} }, 'but "output" was given. Did you mean "outputs"?'],
    [
      "tensor_name_remappings",
      { inputs: { a: 1 } },
      'wrong in "inputs": it must give each tensor a name, but "a" has 1.',
    ],
    ["tensor_name_remappings", { outputs: { a: "x", b: "x" } }, 'gives both "a" and "b" the name "x".'],
    ["server_url", "http://host:8000", "the module speaks gRPC, not http."],
    ["server_url", "host", "such as 192.168.1.20:8001, not "],
    ["server_url", "host:70000", 'not "host:70000".'],
    ["labels", [], "must be a list of strings with at least one in it, not []."],
    ["labels", ["a", "b\nc"], 'but entry 1 is "b\\nc".'],
    ["labels", "a,b", 'must be a list of strings with at least one in it, not "a,b".'],
    ["start_timeout_seconds", 0, "must be a number of seconds above 0, not 0."],
    ["model_parameters", { list: [1] }, 'may hold strings, numbers and booleans, but "list" is [1].'],
    ["streaming", "first", 'must be one of "first_response", "refuse", not "first"'],
    ["bytes_outputs", true, 'must be one of "leave_out", "json", not true.'],
  ])("%s: %j", (name, value, sentence) => {
    const [mistake, ...more] = mistakesOf({ ...least, [name]: value }).filter((one) => one.includes(`"${name}"`));
    expect(mistake).toContain(sentence);
    expect(more.filter((one) => !one.includes("no effect"))).toEqual([]);
  });

  test("attributes that have no effect beside others", () => {
    expect(mistakesOf({ ...least, server_url: "h:1", backend_directory: "/b" })).toEqual([
      expect.stringContaining('"model_repository_path" has no effect beside "server_url"'),
      expect.stringContaining('"backend_directory" has no effect beside "server_url"'),
    ]);
    expect(mistakesOf({ ...least, labels: ["a"], label_path: "b" })).toEqual([
      'The attributes "labels" and "label_path" say the same thing. Leave one of them out.',
    ]);
  });

  test("all at once, in one message", () => {
    expect(() => readAttributes({ model_nam: "m", model_version: "2" })).toThrow(
      /"model_nam"\. Did you mean "model_name"\? .*"model_version".* "model_name" is missing/,
    );
  });

  test("a long value is cut short", () => {
    const [mistake] = mistakesOf({ ...least, model_version: "x".repeat(500) });
    expect(mistake!.length).toBeLessThan(160);
  });
});
