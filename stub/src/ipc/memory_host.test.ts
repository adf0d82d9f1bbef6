// SPDX-License-Identifier: Apache-2.0
import { describe, expect, type MockInstance, test, vi } from "vitest";
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
  const entry = {
    kind: L.ENTRY_RESPONSE,
    flags: 0,
    table: L.TABLE_BATCHES,
    index: 0,
    generation: 99,
    item: 0,
    place,
    value: 0,
  };
  expect(() => there.host.onEntry(entry)).toThrow("belongs to no batch");
});

describe("what the real server refuses is refused here", () => {
  const NOWHERE = { region: 0, offset: 0, bytes: 0 };
  /** Sends an entry about the first request of a batch of two. */
  function send(entries: readonly [kind: number, flags: number, item?: number][], decoupled = true) {
    const there = new TestConnection({ ...tables, decoupled });
    there.receive([{}, {}]);
    for (const [kind, flags, item = 0] of entries) {
      there.host.onEntry({
        kind,
        flags,
        table: L.TABLE_BATCHES,
        index: 0,
        generation: 1,
        item,
        place: NOWHERE,
        value: 0,
      });
    }
  }
  const FINAL: [number, number] = [L.ENTRY_RESPONSE, L.RESPONSE_FINAL];
  const RESCHEDULE: [number, number] = [L.ENTRY_RESPONSE, L.RESPONSE_RESCHEDULE];
  const SETTLED: [number, number] = [L.ENTRY_SETTLED, 0];

  test.each<[string, [number, number, number?][], string]>([
    ["a response after the last", [FINAL, FINAL], "answered after its final response"],
    ["a rescheduled request that is answered", [RESCHEDULE, FINAL], "answered after its final response"],
    ["an answered request that is rescheduled", [FINAL, RESCHEDULE], "rescheduled after its final response"],
    ["a response that says nothing", [[L.ENTRY_RESPONSE, 0]], "a response that says nothing"],
    [
      "rescheduled and final at once",
      [[L.ENTRY_RESPONSE, L.RESPONSE_RESCHEDULE | L.RESPONSE_FINAL]],
      "rescheduled with a response",
    ],
    ["a batch that is settled twice", [SETTLED, SETTLED], "settled a batch twice"],
    ["a batch that is settled when it is over", [FINAL, [...FINAL, 1], SETTLED], "belongs to no batch"],
    ["a request that is not there", [[...FINAL, 2]], "There is no request 2"],
    ["an entry of the server's", [[L.ENTRY_CANCEL, 0]], "none of its own"],
  ])("%s", (_what, entries, message) => {
    expect(() => send(entries)).toThrow(message);
  });

  test("in default mode, an end without a response", () => {
    expect(() => send([FINAL], false)).toThrow("must have exactly one response");
  });
});

test("a request that is cancelled", async () => {
  const there = new TestConnection(tables);
  const { batch, sent } = there.receive([{ cancelled: true }, {}]);
  const [first, second] = batch.lives;
  const { signal } = second!;
  const onCancel = vi.fn();
  second!.onCancel = onCancel;
  expect([first!.isCancelled, first!.signal.aborted, second!.isCancelled]).toEqual([true, true, false]);
  sent.cancel(1);
  sent.cancel(1);
  expect([second!.isCancelled, signal.aborted]).toEqual([true, true]);
  expect(signal.reason).toMatchObject({ code: "CANCELLED" });
  expect(onCancel).toHaveBeenCalled();
  there.answer(batch, [failure("no"), failure("no")]);
  sent.cancel(0);
  expect(there.connection.openBatches).toBe(0);
});

test("the word alone tells a request, before the entry comes; and it is not looked at when the request is over", () => {
  const there = new TestConnection(tables);
  const { batch } = there.receive([{}, {}]);
  const [first, second] = batch.lives;
  const words = vi.spyOn(Atomics, "load" as never) as unknown as MockInstance<() => number>;
  expect(first!.isCancelled).toBe(false);
  words.mockReturnValue(1);
  expect(first!.isCancelled).toBe(true);
  words.mockReturnValue(0);
  expect(first!.isCancelled).toBe(true);
  there.answer(batch, [failure("no"), failure("no")]);
  words.mockReturnValue(1);
  expect([first!.isCancelled, second!.isCancelled]).toEqual([true, false]);
  words.mockRestore();
});

test("a time limit counts from when the server got the batch", () => {
  const there = new TestConnection(tables);
  const before = performance.now();
  const { batch } = there.receive([{ timeoutUs: 2_500_000 }, {}]);
  const [limited, unlimited] = batch.requests;
  expect(limited!.deadlineMs! - before).toBeGreaterThanOrEqual(2499);
  expect(limited!.deadlineMs! - performance.now()).toBeLessThanOrEqual(2501);
  expect(unlimited!.deadlineMs).toBeUndefined();
});
