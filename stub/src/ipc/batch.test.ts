// SPDX-License-Identifier: Apache-2.0
import { inspect } from "node:util";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { isDefect } from "../api/errors.ts";
import type { InferenceRequest } from "../api/request.ts";
import { Tensor } from "../api/tensor.ts";
import type { HostRequest } from "./memory_host.ts";
import { failure, TestConnection } from "./testing/received_batch.ts";

const tables = { inputs: ["A", "B"], outputs: ["X", "Y"] };
let there: TestConnection;
beforeEach(() => {
  there = new TestConnection(tables);
});
const read = (requests: readonly HostRequest[]) => there.receive(requests).batch;
const mistake = (text: string) =>
  expect.toSatisfy((error: Error) => isDefect(error) && error.message.includes(text), text);
const floats = (name: string, ...values: number[]) => new Tensor(name, Float32Array.of(...values), [values.length]);

test("a batch of requests with all that a request has", () => {
  read([{}]);
  const batch = read([
    {
      id: "first",
      correlationId: 42n,
      flags: 3,
      timeoutUs: 5_000_000_000,
      requestedOutputs: ["Y"],
      parameters: { text: "grün", whole: 7n, large: 1n << 60n, yes: true, half: 0.5, __proto__x: "p" },
      inputs: [floats("A", 1, 2, 3), floats("surprise", 4)],
    },
    {
      id: "",
      correlationId: "sequence-ß",
      requestedOutputs: ["X", "Y"],
      inputs: [new Tensor("B", new Int32Array(0), [1, 0])],
    },
  ]);
  expect(batch).toMatchObject({ table: 1, index: 1, generation: 2, settled: false, isOpen: true });
  const [first, second] = batch.requests as [(typeof batch.requests)[0], (typeof batch.requests)[0]];
  expect(first).toMatchObject({
    id: "first",
    correlationId: 42,
    flags: 3,
    sequenceStart: true,
    sequenceEnd: true,
    timeoutUs: 5_000_000_000,
  });
  expect(first.requestedOutputs).toEqual(["Y"]);
  expect({ ...first.parameters }).toEqual({
    text: "grün",
    whole: 7,
    large: 1n << 60n,
    yes: true,
    half: 0.5,
    __proto__x: "p",
  });
  expect(first.inputs.map(({ name }) => name)).toEqual(["A", "surprise"]);
  expect(first.input("A", "FP32").data).toEqual(Float32Array.of(1, 2, 3));
  expect(second).toMatchObject({ id: "", correlationId: "sequence-ß", flags: 0, timeoutUs: 0 });
  expect(second.requestedOutputs).toEqual(["X", "Y"]);
  expect(second.input("B", "INT32")).toMatchObject({ shape: [1, 0], data: new Int32Array(0) });
});

test("each request says what it is answered by", () => {
  const { lives } = read([{}, {}]);
  expect(lives.map(({ table, index, generation, item }) => [table, index, generation, item])).toEqual([
    [1, 0, 1, 0],
    [1, 0, 1, 1],
  ]);
});

test("data is a view on shared memory", () => {
  const { batch } = there.receive([{ inputs: [floats("A", 1, 2)] }]);
  const { data } = batch.requests[0]!.input("A", "FP32");
  expect(data.buffer).toBe(there.native.region(batch.lives[0]!.inputPlace(0).region));
});

test.each([
  ["of a request that is longer than the block", [1, 0, 0, 0, 1 << 20], "a request that does not fit into its block."],
  ["of more requests than the block has room for", [1 << 30], "a batch of 1073741824 requests in 128 bytes."],
])("a batch %s ends the connection", (_what, written, message) => {
  const { native } = there;
  const place = { region: native.inbound.allocate(128)!.region, offset: 0, bytes: 128 };
  new Uint32Array(native.region(place.region)).set(written);
  expect(() => native.deliver(1, 0, { table: 1, index: 0, generation: 1, item: 0 }, place)).toThrow(
    `The server sent ${message}`,
  );
});

describe("the trace of a request", () => {
  const traceOf = (trace?: string) => read([trace === undefined ? {} : { trace }]).requests[0]!.trace;

  test("is what the server says in headers", () => {
    expect(traceOf()).toBeUndefined();
    const said = { traceparent: "00-1-2-01", tracestate: "a=b", more: "x" };
    expect(traceOf(JSON.stringify(said))!.context).toEqual({ traceparent: "00-1-2-01", tracestate: "a=b" });
    expect(Object.isFrozen(traceOf("{}")!.context)).toBe(true);
  });

  test.each(["", "{", "null", "[]", "5", '{"traceparent":5}'])("has no headers when the server says '%s'", (said) => {
    expect(traceOf(said)!.context).toEqual({});
    expect(Object.isFrozen(traceOf(said)!.context)).toBe(true);
  });

  test("is one object", () => {
    const [request] = read([{ trace: "{}" }]).requests;
    expect(request!.trace).toBe(request!.trace);
  });

  test("is over with the request", () => {
    const batch = read([{ trace: "{}" }, {}]);
    expect(batch.lives.map(({ isTraced }) => isTraced)).toEqual([true, false]);
    there.answer(batch, [failure("no"), failure("no")]);
    expect(batch.lives.map(({ isTraced }) => isTraced)).toEqual([false, false]);
  });
});

describe("what is read after the answer", () => {
  test("is refused", () => {
    const batch = read([{ inputs: [floats("A", 1)] }]);
    const input = batch.requests[0]!.input("A");
    there.answer(batch, [failure("no")]);
    expect(() => input.data).toThrow("Input 'A' was read after its request was answered.");
    expect(() => batch.requests[0]!.allocateOutput("X", "FP32", [1])).toThrow("after its request was answered");
  });

  const later = "The request was read after it was answered";
  test.each<[string, (request: InferenceRequest) => unknown]>([
    ["input()", (request) => request.input("A")],
    ["optionalInput()", (request) => request.optionalInput("B")],
    ["inputs", (request) => request.inputs],
    ["id", (request) => request.id],
    ["correlationId", (request) => request.correlationId],
    ["flags", (request) => request.flags],
    ["sequenceEnd", (request) => request.sequenceEnd],
    ["timeoutUs", (request) => request.timeoutUs],
    ["deadlineMs", (request) => request.deadlineMs],
    ["parameters", (request) => request.parameters],
    ["requestedOutputs", (request) => request.requestedOutputs],
    ["trace", (request) => request.trace],
  ])("%s is refused when it was not read before", (_what, look) => {
    const content = { id: "id", correlationId: "s", parameters: { a: 1 }, inputs: [floats("A", 1)], trace: "{}" };
    const batch = read([content, content]);
    there.connection.respond(batch.lives[0]!, failure("no"));
    there.connection.send();
    read([content]); // which may lie in the same memory
    expect(() => look(batch.requests[0]!)).toThrow(mistake(later));
    look(batch.requests[1]!);
  });

  test("is what was read before, and may be printed", () => {
    const batch = read([{ id: "id", inputs: [floats("A", 1)], trace: "{}" }]);
    const [request] = batch.requests;
    const seen = [request!.id, request!.trace, request!.input("A"), request!.isCancelled];
    there.answer(batch, [failure("no")]);
    expect([request!.id, request!.trace, request!.inputs[0], request!.isCancelled]).toEqual(seen);
    expect(inspect(request)).toBe("InferenceRequest { id: 'id', inputs: A FP32 [1] }");
    const other = read([{ inputs: [floats("A", 1)] }]);
    there.answer(other, [failure("no")]);
    expect(inspect(other.requests[0])).toBe("InferenceRequest { cannot be read any more }");
  });

  test("belongs to its request: one that is open can be read beside one that is answered", () => {
    const batch = read([{ inputs: [floats("A", 1)] }, { inputs: [floats("A", 2)] }]);
    there.connection.respond(batch.lives[0]!, failure("no"));
    there.connection.send();
    expect(batch.lives.map(({ isOpen }) => isOpen)).toEqual([false, true]);
    expect(() => batch.requests[0]!.input("A")).toThrow("after it was answered");
    expect(batch.requests[1]!.input("A").data).toEqual(Float32Array.of(2));
  });
});

describe("strict views", () => {
  beforeEach(() => {
    there = new TestConnection(tables, true);
  });

  test("are empty once their request is answered", () => {
    const detach = vi.spyOn(there.native, "detach");
    const batch = read([{ inputs: [floats("A", 1, 2)] }]);
    const { data } = batch.requests[0]!.input("A", "FP32");
    const output = batch.requests[0]!.allocateOutput("X", "FP32", [2]);
    expect(data).toEqual(Float32Array.of(1, 2));
    there.answer(batch, [failure("no")]);
    expect(data).toHaveLength(0);
    expect(output.data).toHaveLength(0);
    expect(detach).toHaveBeenCalledTimes(2);
  });

  test("of a request that is open stay", () => {
    const batch = read([{ inputs: [floats("A", 1)] }, { inputs: [floats("A", 2)] }]);
    const [first, second] = batch.requests.map((request) => request.input("A", "FP32").data);
    there.connection.respond(batch.lives[0]!, failure("no"));
    there.connection.send();
    expect(first).toHaveLength(0);
    expect(second).toEqual(Float32Array.of(2));
  });

  test("outputs that were filled through them are answered", () => {
    const { batch, sent } = there.receive([{}]);
    const output = batch.requests[0]!.allocateOutput("X", "FP32", [2]);
    output.data.set([7, 8]);
    there.answer(batch, [{ error: undefined, outputIndices: [0], outputs: [output], parameters: {} }]);
    expect(sent.responses[0]![0]!.outputs[0]!.tensor.data).toEqual(Float32Array.of(7, 8));
  });
});

test("an output is zero where the model does not fill it", () => {
  const { batch } = there.receive([{}]);
  const first = batch.requests[0]!.allocateOutput("X", "FP32", [4]);
  first.data.fill(7);
  there.answer(batch, [failure("no")]);
  const second = there.receive([{}]).batch.requests[0]!.allocateOutput("X", "FP32", [4]);
  expect(second.data.byteOffset).toBe(first.data.byteOffset); // the same memory
  expect(second.data).toEqual(new Float32Array(4));
});

test("an output that does not fit", () => {
  there.native.outbound.limit = 100;
  expect(() => read([{}]).requests[0]!.allocateOutput("X", "FP64", [1000])).toThrow(
    /^Failed to increase the shared memory pool size: output 'X' needs 8000 bytes/,
  );
});
