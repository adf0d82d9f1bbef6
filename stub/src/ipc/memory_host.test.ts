// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { Tensor } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import { failure, TestConnection } from "./testing/received_batch.ts";

const tables = { inputs: ["A"], outputs: ["X"] };

test("a model's requests and its answers, without a server", async () => {
  const there = new TestConnection(tables);
  const { batch, sent } = there.receive([
    { inputs: [new Tensor("A", ["good"], [1])] },
    { inputs: [new Tensor("A", ["bad"], [1])] },
  ]);
  const answers = batch.requests.map((request) => ({
    error: undefined,
    outputIndices: [0],
    outputs: [new Tensor("X", [`very ${request.input("A").strings()[0]}`], [1])],
    parameters: { seen: true },
  }));
  expect(sent.responses).toEqual([[], []]);
  there.answer(batch, answers);
  await sent.done;
  expect(sent.responses.map(([only]) => only!.outputs[0]!.tensor.strings())).toEqual([["very good"], ["very bad"]]);
  expect(sent.responses[0]![0]!.parameters).toEqual({ seen: true });
});

test("the memory of a batch is free when its last request is answered, and that of its answers is", () => {
  const there = new TestConnection(tables);
  const { batch } = there.receive([{}, { inputs: [new Tensor("A", new Float32Array(1000), [1000])] }]);
  for (const life of batch.lives) {
    expect(there.native.inbound.used).toBeGreaterThan(4000);
    there.connection.respond(life, failure("no"));
    there.connection.send();
  }
  expect(there.native.inbound.used).toBe(0);
  expect(there.native.outbound.used).toBe(0);
});

test("data of an answer stays when the memory that it lay in is used again", () => {
  const there = new TestConnection(tables);
  const echo = (value: number) => {
    const { batch, sent } = there.receive([{ inputs: [new Tensor("A", Int32Array.of(value), [1])] }]);
    const outputs = [new Tensor("X", batch.requests[0]!.input("A", "INT32").data, [1])];
    there.answer(batch, [{ error: undefined, outputIndices: [0], outputs, parameters: {} }]);
    return sent.responses[0]![0]!.outputs[0]!;
  };
  const [first, second] = [echo(1), echo(2)];
  expect(first.place).toEqual(second.place);
  expect([first, second].map(({ tensor }) => tensor.data[0])).toEqual([1, 2]);
});

test("a stub that answers what it was not asked is told so", () => {
  const there = new TestConnection(tables);
  const { batch } = there.receive([{}, {}]);
  const life = batch.lives[0]!;
  there.connection.respond(life, failure("no"));
  there.connection.respond(life, failure("no"));
  expect(() => there.connection.send()).toThrow("Request 0 was answered after its final response.");
  const place = { region: 0, offset: 0, bytes: 0 };
  const entry = { kind: L.ENTRY_RESPONSE, flags: 0, table: L.TABLE_BATCHES, index: 0, generation: 99, item: 0, place };
  expect(() => there.host.onEntry(entry)).toThrow("belongs to no batch");
});
