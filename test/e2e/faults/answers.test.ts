// SPDX-License-Identifier: Apache-2.0
// Whatever execute returns or throws, its request gets one answer that says what is wrong, and the process lives on.
import { beforeAll, describe, expect, test } from "vitest";
import { inferJson, startServer, type TestServer, TritonClient, tensor } from "../harness/index.ts";
import { bad, infer, inferCase, stubOf } from "./bad_models.ts";

const errors: Record<string, (string | RegExp)[]> = {
  not_an_array: ["Expected an array in the execute return", "found type 'string'"],
  undefined: ["found type 'undefined'"],
  null: ["found type 'null'"],
  promise_of_undefined: ["found type 'undefined'"],
  promise_of_number: ["found type 'number'"],
  too_few: ["Expected 1 responses", "but found 0"],
  too_many: ["Expected 1 responses", "but found 2"],
  promise_too_few: ["Expected 1 responses", "but found 0"],
  wrong_items: ["Expected an 'InferenceResponse' object", "found type 'Object' for request 0"],
  undefined_item: ["Expected an 'InferenceResponse' object", "found type 'undefined'"],
  null_prototype_item: ["found type 'object'"],
  hostile_item: ["trap"],
  promise_wrong_items: ["found type 'number'"],
  hostile_array: ["trap"],
  revoked_array: ["revoked"],
  hostile_then: ["then cannot be read"],
  throwing_then: ["then threw"],
  wrong_shape: ["Output 'OUT'", "has shape [2, 2], but its configuration asks for [-1]"],
  wrong_datatype: ["Output 'OUT'", "has datatype INT32, but its configuration says FP32"],
  wrong_name: ["output 'OTU', which is not in its configuration", "without 'OUT'"],
  no_output: ["answered without output 'OUT', which the client asked for"],
  text_for_out: ["answered without output 'OUT', which the client asked for"],
  missing_await: ["found type 'Promise'", "Is an await missing?"],
  twice: ["answered with output 'OUT' twice"],
  twice_in_constructor: ["two outputs named 'OUT'"],
  spoilt_shape: ["has shape [1.5]"],
  negative_shape: ["has shape [-2]"],
  larger_shape: ["has shape [1000000]"],
  detached_output: ["The buffer of tensor 'OUT' was transferred away"],
  spoilt_elements: ["of a BYTES tensor"],
  huge_parameter: ["parameters of a response take", "Send large values as outputs"],
  throws_error: [/message: RangeError: out of range$/],
  throws_string: [/message: just a string$/],
  throws_undefined: [/message: undefined$/],
  throws_symbol: ["message: Symbol(why)"],
  throws_unreadable: ["message: Error: its message cannot be read"],
  throws_hostile: ["message: a value that cannot be shown as text"],
  throws_null_prototype: ["message: a value that cannot be shown as text"],
  throws_circular: [/message: Error: round and round$/],
  throws_endless: ["RangeError: Maximum call stack size exceeded"],
  throws_long: [/long long .*\.\.\.$/],
  throws_spoilt_code: ["message: TritonError: spoilt"],
  throws_spoilt_message: ["message: TritonError: 42"],
  rejects: [/message: Error: rejected$/],
  rejects_undefined: [/message: undefined$/],
  rejects_hostile: ["message: a value that cannot be shown as text"],
  rejects_unreadable: ["message: Error: its message cannot be read"],
  wrong_input: ["Input 'IN' has datatype FP32, but the model asked for INT32"],
  no_input: ["The model asked for input 'INN', which is not in its configuration", "'IN'"],
  request_by_hand: ["The option 'inputs' of an InferenceRequest must be an array of Tensor, but is undefined."],
};

/** What gRPC makes of each code. */
const codes = {
  UNKNOWN: "UNKNOWN",
  INTERNAL: "INTERNAL",
  NOT_FOUND: "NOT_FOUND",
  INVALID_ARG: "INVALID_ARGUMENT",
  UNAVAILABLE: "UNAVAILABLE",
  UNSUPPORTED: "UNIMPLEMENTED",
  ALREADY_EXISTS: "ALREADY_EXISTS",
  CANCELLED: "CANCELLED",
};

describe("one request at a time", () => {
  let server: TestServer;
  let client: TritonClient;
  let stub: number;
  const ask = (name: string) => inferCase(server, "answers", name, {}, [name === "spoilt_elements" ? "TEXT" : "OUT"]);
  beforeAll(async () => {
    server = await startServer({ models: [bad("answers")] });
    expect(await ask("good")).toMatchObject({ status: 200, values: [1, 2] });
    client = new TritonClient(server);
    stub = stubOf(server, "answers")!;
    expect(stub).toBeGreaterThan(0);
  });
  const still = async () => {
    expect(await ask("good")).toMatchObject({ status: 200, values: [1, 2] });
    expect(stubOf(server, "answers")).toBe(stub);
  };

  test.each(Object.keys(errors))("%s", async (name) => {
    const { status, error } = await ask(name);
    expect(status).toBe(500);
    for (const part of errors[name]!) expect(error).toMatch(part);
    expect(error).not.toContain("\n");
    await still();
  });

  test.each(Object.entries(codes))("a TritonError keeps its code: %s", async (code, status) => {
    const inputs = [tensor("IN", "FP32", [1])];
    const failed = client.infer("grpc", "answers", { inputs, parameters: { case: `code_${code}` } });
    await expect(failed).rejects.toMatchObject({ message: `thrown as code_${code}`, status: `StatusCode.${status}` });
  });

  test.each(["double_then", "emptied_requests", "unhandled"])("%s does no harm", async (name) => {
    expect(await ask(name)).toMatchObject({ status: 200, values: [1, 2] });
    await still();
  });

  test("an output that is not configured is dropped, with one warning", async () => {
    for (let i = 0; i < 3; i++) {
      const inputs = [{ name: "IN", datatype: "FP32", shape: [1], data: [1] }];
      const outputs = [{ name: "OUT" }];
      const { body } = await inferJson(server, "answers", { inputs, outputs, parameters: { case: "extra_name" } });
      expect(body.outputs.map((output: { name: string }) => output.name)).toEqual(["OUT"]);
    }
    await server.waitForLog("Output 'EXTRA' is dropped");
    expect(server.logLines("Output 'EXTRA' is dropped")).toHaveLength(1);
  });

  test("the log has the place of what was found in an answer, when it is not the first time", async () => {
    await ask("wrong_datatype");
    await server.waitForLog(/E.*Output 'OUT' .* says FP32\. .*\(made at \/.*answers\/1\/model\.ts:\d+:\d+\)/);
    await server.waitForLog(/E.*\(answered by execute of '\/.*answers\/1\/model\.ts'/);
  });

  test("the log has the stack of an error, a rejection and a promise that nobody waits for", async () => {
    await server.waitForLog(/RangeError: out of[\s\S]*answers\/1\/model\.ts:\d+:\d+/);
    await server.waitForLog(/Error: rejected[\s\S]*answers\/1\/model\.ts:\d+:\d+/);
    await server.waitForLog(/was rejected and nobody handled it[\s\S]*nobody waits for me/);
  });

  test("an output that was allocated for an earlier request is refused", async () => {
    expect((await ask("keep")).status).toBe(200);
    const { error } = await ask("kept");
    expect(error).toContain("Output 'OUT' was allocated for a request that is answered already");
    expect((await ask("allocated")).values).toEqual([7, 7]);
    await still();
  });

  test("100 000 elements of BYTES", async () => {
    const { body } = await inferCase(server, "answers", "texts", { count: 100_000 }, ["TEXT"]);
    const { data } = body.outputs[0];
    expect(data).toHaveLength(100_000);
    expect(data[99_999]).toBe("element 99999");
  });
});

describe("requests of one batch", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ models: [bad("batch_mates")] });
  });
  const four = (name: string) =>
    Promise.all([0, 1, 2, 3].map(() => infer(server, "batch_mates", [1], { case: name }, [1, 1])));

  test("one tensor in all responses", async () => {
    const answers = await four("same_tensor");
    for (const { values } of answers) expect(values).toEqual([answers.length]);
  });

  test("outputs that were allocated for a neighbour", async () => {
    const answers = await four("crossed");
    expect(answers.map(({ values }) => values[0]).sort()).toEqual([0, 1, 2, 3]);
  });

  test("an error for one leaves its neighbours alone", async () => {
    const answers = await four("one_fails");
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 404, 404]);
    for (const { status, error, values } of answers) {
      if (status === 200) expect(values).toEqual([1]);
      else expect(error).toBe("odd ones fail");
    }
  });
});
