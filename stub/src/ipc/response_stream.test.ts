// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { Tensor } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import type { Answer } from "./response_record.ts";
import { SharedMemory } from "./shared_memory.ts";
import { failure, TestConnection } from "./testing/received_batch.ts";

const tables = { inputs: ["A"], outputs: ["X"], decoupled: true };
let there: TestConnection;
let sends: MockInstance<TestConnection["native"]["send"]>;
afterEach(() => vi.restoreAllMocks());
beforeEach(() => {
  there = new TestConnection(tables);
  sends = vi.spyOn(there.native, "send");
});

const input = new Tensor("A", Float32Array.of(1, 2), [2]);
const answer = (...outputs: Tensor[]): Answer => ({
  error: undefined,
  outputIndices: outputs.map(() => 0),
  outputs,
  parameters: {},
});
const of = (...values: number[]) => answer(new Tensor("X", Float32Array.from(values), [values.length]));
const receive = (count = 1) => {
  const { batch, sent } = there.receive(Array.from({ length: count }, () => ({ inputs: [input] })));
  const numbers = (item = 0) =>
    sent.responses[item]!.map(({ outputs, isEmpty }) => (isEmpty ? "end" : outputs[0]?.tensor.data[0]));
  return { batch, sent, life: batch.lives[0]!, numbers };
};
/** As many as the ring holds twice. */
const MANY = 2 * L.RING_CAPACITY;
const turn = () => new Promise((resolve) => setImmediate(resolve));
const later = (ms = 5) => new Promise((resolve) => setTimeout(resolve, ms));

describe("what is posted", () => {
  test("goes at once after a pause, and together with what follows in the same turn", async () => {
    const { life, sent, numbers } = receive();
    vi.spyOn(performance, "now").mockReturnValue(performance.now());
    for (let i = 0; i < 100; i++) there.connection.post(life, of(i), false);
    expect(sent.responses[0]).toHaveLength(1);
    queueMicrotask(() => there.connection.end(life));
    await turn();
    expect(numbers()).toEqual([...Array(100).keys(), "end"]);
    expect(sends.mock.calls).toEqual([
      [1, 1],
      [100, 99],
    ]);
    expect([there.native.outbound.used, there.native.inbound.used]).toEqual([0, 0]);
  });

  test("is taken at once: what lies in shared memory is copied, but for the last response", async () => {
    const { batch, life, sent } = receive();
    const allocated = batch.requests[0]!.allocateOutput("X", "FP32", [1]);
    const passed = new Tensor("X", batch.requests[0]!.input("A", "FP32").data, [2]);
    allocated.data[0] = 7;
    there.connection.post(life, answer(allocated), false);
    there.connection.post(life, answer(passed), false);
    allocated.data[0] = 8;
    passed.data[0] = 9;
    there.connection.post(life, answer(allocated), true);
    await turn();
    const outputs = sent.responses[0]!.map((response) => response.outputs[0]!);
    expect(outputs.map(({ tensor }) => tensor.data[0])).toEqual([7, 1, 8]);
    expect(outputs[2]!.place.bytes).toBe(4);
    expect(there.native.outbound.used).toBe(0);
  });

  test("closes its request at once, before it is sent", async () => {
    there = new TestConnection(tables, true);
    const { batch, life } = receive();
    const { data } = batch.requests[0]!.input("A", "FP32");
    there.native.pause(true);
    there.connection.end(life);
    expect([life.isOpen, data.length]).toEqual([false, 0]);
    there.native.pause(false);
  });

  test("what cannot be written is an error for the client", async () => {
    const { life, sent } = receive();
    const spoilt = new Tensor("X", Float32Array.of(1), [1]);
    structuredClone(spoilt.data.buffer, { transfer: [spoilt.data.buffer as ArrayBuffer] });
    there.connection.post(life, answer(spoilt), true);
    await turn();
    expect(sent.responses[0]![0]!.error!.message).toContain("transferred away");
  });

  test("without the memory of the response, the connection is broken", () => {
    const { life } = receive();
    vi.spyOn(SharedMemory.prototype, "region").mockImplementation(() => {
      throw new Error("no memory");
    });
    const allocate = vi.spyOn(there.native, "allocateNow");
    expect(() => there.connection.post(life, of(1), true)).toThrow("no memory");
    expect(allocate).toHaveBeenCalledTimes(1);
  });
});

describe("a batch that is settled", () => {
  test("is told, behind its responses so far, if a request is open", async () => {
    const { batch, sent } = receive(2);
    there.connection.post(batch.lives[0]!, of(1), true);
    there.connection.release(batch);
    await turn();
    expect([sent.isSettled, sent.responses[0]!.length]).toEqual([true, 1]);
    there.connection.end(batch.lives[1]!);
    await sent.done;
  });

  test("is not told if all are answered, though that is not sent yet", async () => {
    const { batch, sent, life } = receive();
    there.native.pause(true);
    there.connection.end(life);
    there.connection.release(batch);
    there.native.pause(false);
    await turn();
    await sent.done;
    expect(sent.isSettled).toBe(false);
  });
});

describe("while the server does not read", () => {
  test("nothing waits in the ring's place: all stays here in its order, and is sent when there is room", async () => {
    const { batch, sent, numbers } = receive(2);
    there.native.pause(true);
    for (let i = 0; i < MANY; i++) there.connection.post(batch.lives[i % 2]!, of(i), false);
    there.connection.release(batch);
    for (const life of batch.lives) there.connection.end(life);
    await later(20);
    expect(there.native.unreadCount).toBe(L.RING_CAPACITY);
    there.native.pause(false);
    await sent.done;
    expect(sent.isSettled).toBe(true);
    const evens = Array.from({ length: MANY / 2 }, (_, i) => 2 * i);
    expect(numbers(0)).toEqual([...evens, "end"]);
    expect(numbers(1)).toEqual([...evens.map((even) => even + 1), "end"]);
    expect([there.native.outbound.used, there.native.inbound.used]).toEqual([0, 0]);
  });

  test.each([
    ["many", 1, MANY],
    ["large", 1 << 20, 20],
  ])("who sends %s responses is asked to wait until half of it is read", async (_what, size, count) => {
    const { life, sent } = receive();
    there.native.pause(true);
    const data = new Float32Array(size);
    let posted = 0;
    for (; there.connection.ready === undefined && posted < count; posted++) {
      there.connection.post(life, answer(new Tensor("X", data, [size])), false);
    }
    expect(posted).toBeLessThan(count);
    const { ready } = there.connection;
    expect(there.connection.ready).toBe(ready);
    let isReady = false;
    ready!.then(() => {
      isReady = true;
    });
    await later(10);
    expect(isReady).toBe(false);
    there.native.pause(false);
    await ready;
    expect(there.connection.ready).toBeUndefined();
    there.connection.end(life);
    await sent.done;
    expect(sent.responses[0]).toHaveLength(posted + 1);
  });

  test("what finds no room in shared memory is kept outside of it", async () => {
    const { batch, life, sent, numbers } = receive();
    there.native.pause(true);
    there.native.outbound.limit = 3000;
    const kept = new Float32Array(200);
    for (let i = 0; i < 10; i++) {
      kept[0] = i;
      there.connection.post(life, answer(new Tensor("X", kept, [200])), false);
    }
    kept[0] = 99;
    there.connection.post(life, failure("the end"), true);
    there.connection.release(batch);
    expect(there.native.outbound.used).toBeLessThan(3001);
    there.native.pause(false);
    await sent.done;
    expect(numbers().slice(0, -1)).toEqual([...Array(10).keys()]);
    expect(sent.responses[0]!.at(-1)!.error!.message).toBe("the end");
    expect(there.native.outbound.used).toBe(0);
  });

  test("what would never find room is an error for the client", async () => {
    const { life, sent } = receive();
    there.native.outbound.limit = 3000;
    there.connection.post(life, answer(new Tensor("X", new Float32Array(1000), [1000])), false);
    there.connection.end(life);
    await sent.done;
    expect(sent.responses[0]![0]!.error!.message).toMatch(
      /^Failed to increase the shared memory pool size: a response/,
    );
    expect(sent.responses[0]![1]!.isEmpty).toBe(true);
  });
});
