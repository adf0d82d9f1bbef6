// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Tensor } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import { CallingConnection, floats, large, read, request, turn } from "./testing/calling.ts";
import { failure } from "./testing/received_batch.ts";

let there: CallingConnection;
beforeEach(() => {
  there = new CallingConnection();
});
// A test that leaves something open says so.
afterEach(async () => expect(await there.close()).toEqual([0, 0]));

describe("a call", () => {
  test("and its answer", async () => {
    const response = await request("echo", [floats("A", 1, 2), new Tensor("B", ["x", "yz"], [2])]).exec();
    expect(read(response)).toEqual([1, 2]);
    expect(response.output("B", "BYTES").strings()).toEqual(["x", "yz"]);
    expect(response.parameters).toEqual({ model: "echo" });
  });

  test("says everything that was asked for", async () => {
    const inputs = [floats("A"), new Tensor("B", BigInt64Array.of(1n, 2n), [1, 2])];
    const answer = request("hold", inputs, {
      modelVersion: 3,
      requestedOutputs: ["X", "Y"],
      id: "é",
      correlationId: 2n ** 63n,
      flags: 3,
      timeoutUs: 11_000_000_000,
      priority: 2,
      parameters: { a: "b", c: 2.5 },
    }).exec();
    await turn();
    const { content } = there.held[0]!;
    expect(content).toMatchObject({ modelName: "hold", modelVersion: 3, requestedOutputs: ["X", "Y"], id: "é" });
    expect(content).toMatchObject({ correlationId: 2n ** 63n, flags: 3, timeoutUs: 11_000_000_000, priority: 2 });
    expect(content.parameters).toEqual({ a: "b", c: 2.5 });
    expect(content.parent).toEqual({ table: 0, index: 0, generation: 0, item: 0 });
    expect(there.held[0]!.input("B")).toMatchObject({
      datatype: "INT64",
      shape: [1, 2],
      data: BigInt64Array.of(1n, 2n),
    });
    there.held[0]!.respond({});
    expect((await answer).outputs).toEqual([]);
  });

  test("of a sequence with a name", async () => {
    const answer = request("hold", [], { correlationId: "s", sequenceStart: true }).exec();
    await turn();
    expect(there.held[0]!.content).toMatchObject({
      correlationId: "s",
      flags: 1,
      modelVersion: -1,
      timeoutUs: 0,
      inputs: [],
    });
    there.held[0]!.end();
    await answer;
  });

  test("whose answer no model here may give", async () => {
    const response = await request("odd").exec();
    expect([response.outputs.length, response.parameters]).toEqual([2, { limit: 0.5 }]);
  });

  test("that fails keeps code and text", async () => {
    await expect(request("fail").exec()).rejects.toMatchObject({ code: "UNAVAILABLE", message: "not today" });
  });

  test("of a model that is not there", async () => {
    await expect(request("nobody").exec()).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: "Request for unknown model: 'nobody' is not found",
    });
  });

  test("takes its data at once", async () => {
    const input = floats("A", 1);
    const answer = request("echo", [input]).exec();
    input.data[0] = 2;
    expect(read(await answer)).toEqual([1]);
  });

  test("that does not fit into memory, and a smaller one afterwards", async () => {
    there.native.outbound.limit = 1024;
    await expect(request("echo", [large("A", 1)]).exec()).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringMatching(
        /^Failed to .*: a call of model 'echo' needs .*shm-max-byte-size or make fewer or smaller calls at a time\.$/,
      ),
    });
    expect(read(await request("echo").exec())).toEqual([1, 2]);
  });

  test("whose record would be too large", async () => {
    const answer = request("echo", [], { parameters: { a: "x".repeat(L.MAX_RECORD_BYTES) } }).exec();
    await expect(answer).rejects.toThrow("The parameters and names of a call of model 'echo' take 1048");
  });

  test("whose answer does not fit into memory", async () => {
    there.native.inbound.limit = 1024;
    await expect(request("big").exec()).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringMatching(
        /^Failed to increase the shared memory pool size: a response of model 'big' does not/,
      ),
    });
    expect(read(await request("echo").exec())).toEqual([1, 2]);
  });

  test("with strings that are none, or too few", async () => {
    const data = new Tensor("A", ["abc"], [1]).data;
    const spoilt = new Tensor<"BYTES">("A", data as Uint8Array, [1], "BYTES");
    data[0] = 200;
    await expect(request("echo", [spoilt]).exec()).rejects.toMatchObject({ code: "INVALID_ARG" });
    data[0] = 1;
    await expect(request("echo", [spoilt]).exec()).rejects.toMatchObject({ code: "INVALID_ARG" });
    const elements = ["a", "b"];
    const shorter = new Tensor("A", elements, [2]);
    elements.pop();
    await expect(request("echo", [shorter]).exec()).rejects.toThrow("has 2 elements, but its data holds 1");
  });

  test.each<[string, (input: Tensor) => void, string]>([
    [
      "another datatype",
      (input) => Object.assign(input, { datatype: "BOOL" }),
      "of datatype BOOL and shape [4] takes 4",
    ],
    ["more data", (input) => Object.defineProperty(input, "data", { value: new Float32Array(9) }), "takes 16 bytes"],
    [
      "data that changes",
      (input) => {
        let reads = 0;
        Object.defineProperty(input, "data", { get: () => new Float32Array(++reads > 1 ? 4 : 2) });
      },
      "",
    ],
    ["a slice of its own", (input) => Object.assign(input.shape, { slice: () => [-1] }), ""],
    [
      "a species of its own",
      (input) => Object.defineProperty(input.shape, "constructor", { value: { [Symbol.species]: () => [7] } }),
      "",
    ],
    ["a text as a side", (input) => Object.assign(input.shape, { 0: "4" }), "but its shape is [4] by now"],
  ])("with an input that has %s: the call fails, or is right, and the process goes on", async (_what, spoil, text) => {
    const input = floats("A", 1, 2, 3, 4);
    spoil(input);
    const answer = request("echo", [input]).exec();
    if (text === "") await answer.then(read, () => undefined);
    else await expect(answer).rejects.toThrow(text);
    expect(read(await request("echo", [floats("A", 5)]).exec())).toEqual([5]);
  });

  test("with a shape that was spoilt, and with data that was transferred away", async () => {
    const spoilt = floats("A", 1);
    spoilt.shape[0] = 0.5;
    await expect(request("echo", [spoilt]).exec()).rejects.toThrow(
      "Input 'A' has 1 elements, but its shape is [0.5] by now. Make a new Tensor instead.",
    );
    const negative = floats("A", 1);
    negative.shape.splice(0, 1, -1, -1);
    await expect(request("echo", [negative]).exec()).rejects.toThrow("but its shape is [-1, -1] by now.");
    const deep = new Tensor("A", Float32Array.of(1), Array(33).fill(1));
    await expect(request("echo", [deep]).exec()).rejects.toThrow("has 33 dimensions, but at most 32 are supported");
    const gone = floats("A", 1);
    structuredClone(gone.data.buffer, { transfer: [gone.data.buffer as ArrayBuffer] });
    await expect(request("echo", [gone]).exec()).rejects.toThrow("The buffer of tensor 'A' was transferred away");
  });
});

describe("many calls", () => {
  test("of one turn go together", async () => {
    const send = vi.spyOn(there.native, "send");
    const answers = Array.from({ length: 100 }, (_, i) => request("echo", [floats("A", i)]).exec());
    expect(send).not.toHaveBeenCalled();
    expect((await Promise.all(answers)).map((response) => read(response)[0])).toEqual([...Array(100).keys()]);
    expect(send.mock.calls.map(([entries]) => entries)).toEqual([100]);
  });

  test("are left to the addon where it sends by itself what this turn has brought", async () => {
    const unsent = new Uint32Array(there.native.unsent);
    const send = vi.spyOn(there.native, "send");
    unsent[2] = 1;
    const answer = request("echo", [floats("A", 1)]).exec();
    await turn();
    expect(send).not.toHaveBeenCalled();
    const [entries, blocks] = unsent;
    expect([entries, blocks]).toEqual([1, 0]);
    unsent.fill(0);
    there.native.send(entries!, blocks!);
    expect(read(await answer)).toEqual([1]);
  });

  test("are in flight at once, more than the ring takes, and their places are used again", async () => {
    for (let round = 0; round < 2; round++) {
      const answers = Array.from({ length: 3000 }, (_, i) => request("echo", [floats("A", i)]).exec());
      expect((await Promise.all(answers)).map((response) => read(response)[0])).toEqual([...Array(3000).keys()]);
    }
    expect(there.host.calls.count).toBe(6000);
  });

  test("beyond what the server takes wait for others", async () => {
    const answers = Array.from({ length: L.MAX_CALLS + 2 }, () => request("hold", []).exec());
    await turn();
    while (there.held.length < L.MAX_CALLS) await turn();
    there.held[5]!.end();
    await turn();
    expect(there.held).toHaveLength(L.MAX_CALLS + 1);
    for (const call of there.held) if (!call.isOver) call.end();
    await turn();
    for (const call of there.held) if (!call.isOver) call.end();
    await Promise.all(answers);
    // So many calls take long on a busy machine.
  }, 120_000);

  test("while the server does not read", async () => {
    there.native.pause(true);
    const answers = Array.from({ length: 2000 }, (_, i) => request("echo", [floats("A", i)]).exec());
    await turn();
    there.native.pause(false);
    expect((await Promise.all(answers)).map((response) => read(response)[0])).toEqual([...Array(2000).keys()]);
  });
});

describe("a stream", () => {
  test("of responses", async () => {
    const found: number[] = [];
    const stream = request("hold").stream();
    await turn();
    there.held[0]!.respond({ outputs: [floats("A", 1)] }, false);
    there.held[0]!.respond({ outputs: [floats("A", 2)] }, false);
    there.held[0]!.end();
    for await (const response of stream) found.push(...read(response));
    expect(found).toEqual([1, 2]);
  });

  test("that is left is cancelled and drained", async () => {
    const stream = request("hold").stream();
    await turn();
    there.held[0]!.respond({ outputs: [large("A", 1)] }, false);
    for await (const _ of stream) break;
    await turn();
    expect(there.held[0]!.isCancelled).toBe(true);
    there.held[0]!.respond({ outputs: [large("A", 2)] }, false);
    there.held[0]!.respond({ error: { message: "cancelled", code: "CANCELLED" } });
    await turn();
    expect(there.host.calls.answerCount).toBeLessThanOrEqual(1); // the first is garbage
  });
});

describe("cancelling", () => {
  test("by a signal, once", async () => {
    const abort = new AbortController();
    const answer = request("hold", [], { signal: abort.signal }).exec();
    await turn();
    abort.abort();
    await turn();
    expect(there.held[0]!.isCancelled).toBe(true);
    there.held[0]!.respond({ error: { message: "stopped", code: "CANCELLED" } });
    await expect(answer).rejects.toMatchObject({ code: "CANCELLED", message: "stopped" });
  });

  test("by one signal for many calls, which Node does not warn of", async () => {
    const warned = vi.fn();
    process.on("warning", warned);
    const abort = new AbortController();
    const answers = Array.from({ length: 50 }, () => request("hold", [], { signal: abort.signal }).exec());
    await turn();
    there.held[0]!.end();
    await answers[0];
    abort.abort();
    await turn();
    expect(there.held.map(({ isCancelled }) => isCancelled)).toEqual([false, ...Array(49).fill(true)]);
    for (const call of there.held.slice(1)) call.end();
    await Promise.all(answers);
    process.off("warning", warned);
    expect(warned).not.toHaveBeenCalled();
  });

  test("before it is made", async () => {
    const answer = request("hold", [], { signal: AbortSignal.abort() }).exec();
    await expect(answer).rejects.toMatchObject({
      code: "CANCELLED",
      message: "The call of model 'hold' was cancelled before it was made.",
    });
    expect(there.host.calls.count).toBe(0);
  });

  test("after the end does nothing", async () => {
    const abort = new AbortController();
    const stream = request("echo", [floats("A", 1)], { signal: abort.signal }).stream();
    for await (const _ of stream);
    stream.cancel();
    abort.abort();
    await turn();
  });

  test("a call that waits for a place never makes it", async () => {
    const abort = new AbortController();
    const answers = Array.from({ length: L.MAX_CALLS }, () => request("hold", []).exec());
    const last = request("hold", [], { signal: abort.signal }).exec();
    abort.abort();
    await expect(last).rejects.toThrow("was cancelled before it was made");
    await turn();
    for (const call of there.held) call.end();
    await Promise.all(answers);
    expect(there.host.calls.count).toBe(L.MAX_CALLS);
  });

  test("a request passes on to the calls that were made for it", async () => {
    const { batch, sent } = there.receive([{ inputs: [floats("IN", 1)] }]);
    there.current = batch.lives[0];
    const answer = request("hold", []).exec();
    there.current = undefined;
    const stranger = request("hold", []).exec();
    await turn();
    const { table, index, generation, item } = batch.lives[0]!;
    expect(there.held[0]!.content.parent).toEqual({ table, index, generation, item });
    sent.cancel(0);
    await turn();
    expect(there.held.map(({ isCancelled }) => isCancelled)).toEqual([true, false]);
    for (const call of there.held) call.end();
    await Promise.all([answer, stranger]);
    there.answer(batch, [failure("done")]);
  });
});

describe("the event loop", () => {
  test("is held while calls are open, though nothing else holds it", async () => {
    const hold = vi.spyOn(there.native, "hold");
    there.connection.hold(false);
    const answers = [request("hold", []).exec(), request("hold", []).exec()];
    await turn();
    for (const call of there.held) call.end();
    await Promise.all(answers);
    const late = request("hold", []).exec();
    there.connection.hold(false);
    await turn();
    there.held[2]!.end();
    await late;
    there.connection.hold(true);
    expect(hold.mock.calls.flat()).toEqual([false, true, false, true, true, false, true]);
  });
});

describe("what the server must not do", () => {
  test.each([
    ["to a call that was never made", { table: L.TABLE_CALLS, index: 9, generation: 1, item: 0 }],
    ["to none of our calls", { table: L.TABLE_BATCHES, index: 0, generation: 1, item: 0 }],
  ])("a response %s", (_, owner) => {
    const place = { region: 0, offset: 0, bytes: 0 };
    expect(() => there.native.deliver(L.ENTRY_CALL_RESPONSE, L.CALL_RESPONSE_FINAL, owner, place)).toThrow(
      /^The server sent a response to call \d+, generation 1, which is not open\.$/,
    );
  });

  test("a response after the last one", async () => {
    const answer = request("hold", []).exec();
    await turn();
    there.held[0]!.end();
    await answer;
    const place = { region: 0, offset: 0, bytes: 0 };
    expect(() => there.native.deliver(L.ENTRY_CALL_RESPONSE, 0, there.held[0]!, place)).toThrow("which is not open");
  });
});
