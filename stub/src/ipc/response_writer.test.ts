// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { Tensor } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import type { Batch } from "./batch.ts";
import type { HostResponse } from "./memory_host.ts";
import type { Answer } from "./response_record.ts";
import { SharedMemory } from "./shared_memory.ts";
import { failure, TestConnection } from "./testing/received_batch.ts";

const tables = { inputs: ["A"], outputs: ["X", "Y"] };
let there: TestConnection;
let sends: MockInstance<TestConnection["native"]["send"]>;
afterEach(() => vi.restoreAllMocks());
let onEntry: MockInstance<TestConnection["host"]["onEntry"]>;
beforeEach(() => {
  there = new TestConnection(tables);
  sends = vi.spyOn(there.native, "send");
  onEntry = vi.spyOn(there.host, "onEntry");
});
/** Entries in the order in which they were sent. */
const entries = () => onEntry.mock.calls.map(([entry]) => entry);

const input = new Tensor("A", Float32Array.of(1, 2), [2]);
const inputBytes = new Uint8Array(Float32Array.of(1, 2).buffer);
const receive = (count = 1) => there.receive(Array.from({ length: count }, () => ({ inputs: [input] })));
const answer = (outputs: Tensor[], parameters: Answer["parameters"] = {}): Answer => ({
  error: undefined,
  outputIndices: outputs.map((_, i) => i),
  outputs,
  parameters,
});
/** Answers a batch and gives what the client gets: one final response for each request. */
const send = (answers: readonly Answer[], received = receive(answers.length)): HostResponse[] => {
  there.answer(received.batch, answers);
  return received.sent.responses.map(([only, ...more]) => {
    expect(more).toEqual([]);
    expect(only).toMatchObject({ final: true });
    return only!;
  });
};
const bytesOf = ({ tensor: { data } }: HostResponse["outputs"][0]) =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const isOfStub = (region: number) => region >= L.REGION_OF_STUB;

test("one entry for each request, one send and one block for the batch", () => {
  const allocate = vi.spyOn(there.native, "allocate");
  const [first, second] = send([
    answer([new Tensor("X", Float32Array.of(1, 2, 3), [3, 1])]),
    answer([new Tensor("X", BigInt64Array.of(-1n), []), new Tensor("Y", ["ab", ""], [2])]),
  ]);
  expect(entries()).toMatchObject([
    { kind: L.ENTRY_RESPONSE, flags: L.RESPONSE_FINAL, table: L.TABLE_BATCHES, index: 0, generation: 1, item: 0 },
    { kind: L.ENTRY_RESPONSE, flags: L.RESPONSE_FINAL, table: L.TABLE_BATCHES, index: 0, generation: 1, item: 1 },
  ]);
  expect(sends.mock.calls).toEqual([[2, 1]]);
  expect(allocate).toHaveBeenCalledTimes(1);
  expect(there.native.outbound.used).toBe(0);
  expect(first).toMatchObject({
    error: undefined,
    outputs: [{ tensor: { name: "X", datatype: "FP32", shape: [3, 1] } }],
  });
  expect(bytesOf(first!.outputs[0]!)).toEqual(new Uint8Array(Float32Array.of(1, 2, 3).buffer));
  expect(second!.outputs.map(({ tensor }) => tensor)).toMatchObject([
    { name: "X", datatype: "INT64", shape: [] },
    { name: "Y", datatype: "BYTES", shape: [2] },
  ]);
  expect([...bytesOf(second!.outputs[1]!)]).toEqual([2, 0, 0, 0, 97, 98, 0, 0, 0, 0]);
});

test("requests of several batches are answered together", () => {
  const received = [receive(), receive()];
  for (const { batch } of received) there.connection.respond(batch.lives[0]!, failure("no"));
  there.connection.send();
  expect(sends).toHaveBeenCalledTimes(1);
  expect(received.map(({ sent }) => sent.responses[0]![0]!.error?.message)).toEqual(["no", "no"]);
});

test("parameters of every kind", () => {
  const parameters = { text: "ä", whole: 5, large: -(1n << 62n), yes: true, no: false, half: 0.5 };
  expect({ ...send([answer([], parameters)])[0]!.parameters }).toEqual(parameters);
});

describe("data that lies in shared memory is not copied", () => {
  test("an input", () => {
    const received = receive();
    const life = received.batch.lives[0]!;
    const data = received.batch.requests[0]!.input("A", "FP32").data.subarray(1);
    const { region, offset } = life.inputPlace(0);
    const [sent] = send([answer([new Tensor("X", data, [1])])], received);
    expect(sent!.outputs[0]!.place).toEqual({ region, offset: offset + 4, bytes: 4 });
    expect(bytesOf(sent!.outputs[0]!)).toEqual(new Uint8Array(Float32Array.of(2).buffer));
  });

  test("an allocated output, in several responses; its block is freed behind them", () => {
    const received = receive(2);
    const output = received.batch.requests[0]!.allocateOutput("X", "FP32", [2]);
    output.data.set([7, 8]);
    const sent = send([answer([output]), answer([output])], received);
    for (const { outputs } of sent) expect(bytesOf(outputs[0]!)).toEqual(new Uint8Array(Float32Array.of(7, 8).buffer));
    expect(sends.mock.calls).toEqual([[2, 2]]);
    const place = sent[0]!.outputs[0]!.place;
    expect([...new Float64Array(there.native.blocks, 24, 3)]).toEqual([place.region, place.offset, place.bytes]);
    expect(there.native.outbound.used).toBe(0);
  });
});

describe("an answer that cannot be written fails its request alone", () => {
  const good = answer([new Tensor("X", Float32Array.of(1), [1])]);
  const sendBoth = (bad: Answer) => {
    const [first, second] = send([bad, good]);
    expect(second).toMatchObject({ error: undefined });
    expect(first!.error?.code).toBe("INTERNAL");
    return first!.error!.message;
  };

  test("an output that was allocated for a batch that is answered", () => {
    const earlier = receive();
    const output = earlier.batch.requests[0]!.allocateOutput("X", "FP32", [1]);
    send([failure("no")], earlier);
    expect(sendBoth(answer([output]))).toContain("Output 'X' was allocated for a request that is answered already.");
  });

  test("an output that was allocated for a request of the same batch that is answered", () => {
    const { batch, sent } = receive(2);
    const output = batch.requests[0]!.allocateOutput("X", "FP32", [1]);
    for (const life of batch.lives) {
      there.connection.respond(life, answer([output]));
      there.connection.send();
    }
    expect(sent.responses.map(([only]) => only!.error?.message)).toEqual([
      undefined,
      "Output 'X' was allocated for a request that is answered already. Allocate it for the request at hand.",
    ]);
  });

  test("an output whose request is answered by what reading the response runs", () => {
    const earlier = receive();
    const output = earlier.batch.requests[0]!.allocateOutput("X", "FP32", [1]);
    const bad = {
      ...answer([output]),
      parameters: {
        get key() {
          if (earlier.sent.responses[0]!.length === 0) send([failure("no")], earlier);
          return 1;
        },
      },
    };
    expect(sendBoth(bad)).toContain("Output 'X' was allocated for a request that is answered already.");
  });

  test("elements that were spoilt", () => {
    const elements: unknown[] = ["a"];
    const tensor = new Tensor("X", elements as string[], [1]);
    elements[0] = { length: 4e9 };
    expect(sendBoth(answer([tensor]))).not.toBe("");
  });

  test("a buffer that was transferred away", () => {
    const data = new Float32Array(2);
    const tensor = new Tensor("X", data, [2]);
    structuredClone(data, { transfer: [data.buffer] });
    expect(sendBoth(answer([tensor]))).toBe(
      "The buffer of tensor 'X' was transferred away or disposed of, and with it the tensor's data.",
    );
  });

  test("parameters beyond the limit of a record", () => {
    const message = sendBoth(answer([], { text: "x".repeat(L.MAX_RECORD_BYTES) }));
    expect(message).toMatch(/^The parameters of a response take \d+ bytes, but at most 1048576 fit\./);
  });
});

describe("what the model changes", () => {
  const sound = () => answer([new Tensor("X", Float32Array.of(5), [1])]);
  /** Sends three, with a change between the measuring of them and the writing. */
  const sendWith = (spoilt: Answer, change = () => {}) => {
    const allocate = there.native.allocate.bind(there.native);
    vi.spyOn(there.native, "allocate").mockImplementationOnce((bytes) => {
      change();
      allocate(bytes);
    });
    const [first, second, third] = send([sound(), spoilt, sound()]);
    for (const neighbour of [first, third]) {
      expect(neighbour!.error).toBeUndefined();
      expect(neighbour!.outputs[0]!.tensor.data).toEqual(Float32Array.of(5));
    }
    return second!;
  };

  test.each([[["abcdef"]], [["a"]], [["ab", "c"]], [[]]])("elements, to %j, after they are measured", (to) => {
    const elements = ["ab"];
    const spoilt = sendWith(answer([new Tensor("X", elements, [1])]), () => {
      elements.splice(0, 1, ...to);
    });
    expect(spoilt.error?.code).toBe("INTERNAL");
  });

  test.each([0, 4, 64])("a buffer that is resized to %d bytes", (bytes) => {
    const buffer = new ArrayBuffer(8, { maxByteLength: 64 });
    const spoilt = sendWith(answer([new Tensor("X", new Float32Array(buffer), [2])]), () => buffer.resize(bytes));
    expect(spoilt.error?.message).toBe("The data of tensor 'X' changed its size while it was sent.");
  });

  test("a shape is written as it was measured", () => {
    const tensor = new Tensor("X", Float32Array.of(1, 2), [2]);
    const good = sendWith(answer([tensor]), () => tensor.shape.push(1, 1, 1, 1, 1, 1, 1, 1));
    expect(good.outputs[0]!.tensor.shape).toEqual([2]);
  });

  test("a shape that answers with another one each time", () => {
    const tensor = new Tensor("X", Float32Array.of(1, 2), [2]);
    const shapes = [[2], new Array(50).fill(1)];
    Object.defineProperty(tensor, "shape", { get: () => shapes.shift() });
    expect(sendWith(answer([tensor])).outputs[0]!.tensor.shape).toEqual([2]);
  });

  test.each([[[1.5]], [[-1]], [["2"]], [new Array(100).fill(1)], [undefined]])("a shape, to %j", (shape) => {
    const tensor = Object.defineProperty(new Tensor("X", Float32Array.of(1, 2), [2]), "shape", { value: shape });
    expect(sendWith(answer([tensor])).error?.message).toMatch(
      /^The shape of output 'X' was changed to \[.*\], which is none/,
    );
  });

  test.each([[[1]], [Number.NaN], [null], ["a\0b"]])("a parameter, to %j", (value) => {
    expect(sendWith(answer([], { p: value as never })).error?.message).toMatch(/^Response parameter 'p' /);
  });
});

describe("the memory limit", () => {
  const large = () => answer([new Tensor("X", new Float32Array(1000), [1000])]);

  test("answers that do not fit together go one by one", () => {
    there.native.outbound.limit = 6000;
    const sent = send([large(), large(), large()]);
    expect(sent.map(({ error }) => error)).toEqual([undefined, undefined, undefined]);
    expect(sends.mock.calls.length).toBeGreaterThan(1);
  });

  test("one that does not fit alone fails, its neighbours do not", () => {
    there.native.outbound.limit = 2000;
    const small = answer([new Tensor("X", new Float32Array(10), [10])]);
    const sent = send([small, large(), small]);
    expect(sent.map(({ error }) => error?.code)).toEqual([undefined, "INTERNAL", undefined]);
    expect(sent[1]!.error!.message).toContain("Failed to increase the shared memory pool size: a response needs");
  });

  test("without room for the error either, the caller hears of it", () => {
    there.native.outbound.limit = 10;
    expect(() => send([large()])).toThrow("Failed to increase the shared memory pool size");
  });

  test("without the memory of the response, the caller hears of it", () => {
    const received = receive();
    vi.spyOn(SharedMemory.prototype, "region").mockImplementation(() => {
      throw new Error("transferred away");
    });
    const allocate = vi.spyOn(there.native, "allocate");
    expect(() => send([answer([new Tensor("X", Float32Array.of(1), [1])])], received)).toThrow("transferred away");
    expect(allocate).toHaveBeenCalledTimes(1);
  });

  test("what else addon throws is not taken for it", () => {
    vi.spyOn(there.native, "allocate").mockImplementation(() => {
      throw Object.assign(new Error("broken"), { code: "EPROTO" });
    });
    expect(() => send([large()])).toThrow("broken");
  });
});

describe("errors", () => {
  test.each(Object.keys(L.STATUSES) as (keyof typeof L.STATUSES)[])("%s", (code) => {
    const [sent] = send([failure("näin", code)]);
    expect(sent).toMatchObject({ error: { code, message: "näin" }, outputs: [] });
  });

  test("a long message is cut on a whole character", () => {
    const [sent] = send([failure("ä€𝄞".repeat(20_000))]);
    const { message } = sent!.error!;
    expect(message).toMatch(/ \.\.\.$/);
    expect(message).not.toContain("\uFFFD");
    expect(new TextEncoder().encode(message).length).toBeLessThanOrEqual(L.MAX_MESSAGE_BYTES);
  });

  test.each([
    ["a", 60_000, 60_000],
    ["a", 70_000, 65_520],
    ["%", 21_000, 21_000],
    ["%", 30_000, 21_840],
    ["é", 10_000, 10_000],
    ["é", 20_000, 10_920],
  ])("a message of many %s is cut as it travels over gRPC: of %d there stay %d", (letter, count, kept) => {
    const [sent] = send([failure(letter.repeat(count))]);
    const { message } = sent!.error!;
    expect(message.replace(/ \.\.\.$/, "")).toHaveLength(kept);
    expect(message.endsWith(" ...")).toBe(kept < count);
  });
});

test("a batch larger than the outbox", () => {
  const sent = send(new Array(600).fill(failure("no")));
  expect(sent).toHaveLength(600);
  expect(entries().map(({ item }) => item)).toEqual(Array.from({ length: 600 }, (_, i) => i));
});

test("a view whose buffer is gone is an empty output, and nobody else's answer is lost", () => {
  const kept = new Float32Array(2);
  structuredClone(kept.buffer, { transfer: [kept.buffer] });
  const [first, second] = send([
    answer([new Tensor("X", kept, [0])]),
    answer([new Tensor("X", new Float32Array(1), [1])]),
  ]);
  expect(first!.outputs[0]!.tensor.shape).toEqual([0]);
  expect(bytesOf(second!.outputs[0]!)).toHaveLength(4);
});

describe("inputs that lie in a client's region", () => {
  /** Two requests, whose inputs follow one another in the client's region. */
  const receiveLent = () => {
    const file = new Uint8Array(1 << 16);
    file.set(inputBytes, 4096);
    file.set(inputBytes, 4104);
    const region = there.native.lend(file);
    const lent = (offset: number) => ({ tensor: input, place: { region, offset, bytes: 8 } });
    return { region, ...there.receive([{ inputs: [lent(4096)] }, { inputs: [lent(4104)] }]) };
  };
  const echo = (received: { batch: Batch } & ReturnType<typeof receive>, ...from: number[]) =>
    send(
      from.map((i) => answer([new Tensor("X", received.batch.requests[i]!.input("A", "FP32").data, [2])])),
      received,
    ).map(({ outputs }) => outputs[0]!);

  test("are answered where they are", () => {
    const received = receiveLent();
    const { region } = received;
    expect(echo(received, 0, 1).map(({ place }) => place)).toEqual([
      { region, offset: 4096, bytes: 8 },
      { region, offset: 4104, bytes: 8 },
    ]);
  });

  test("of another request are copied: its memory may be gone by then", () => {
    const received = receiveLent();
    const outputs = echo(received, 1, 1);
    expect(isOfStub(outputs[0]!.place.region)).toBe(true);
    expect(outputs[1]!.place.region).toBe(received.region);
    expect(bytesOf(outputs[0]!)).toEqual(inputBytes);
  });

  test("a view beyond the input is copied", () => {
    const received = receiveLent();
    const { buffer } = received.batch.requests[0]!.input("A", "FP32").data;
    const [whole, last] = send(
      [
        answer([new Tensor("X", new Float32Array(buffer, 4096, 4), [4])]),
        answer([new Tensor("X", new Float32Array(buffer, 4108, 1), [1])]),
      ],
      received,
    );
    expect(isOfStub(whole!.outputs[0]!.place.region)).toBe(true);
    expect(last!.outputs[0]!.place).toEqual({ region: received.region, offset: 4108, bytes: 4 });
  });

  test("that the model wrote into are copied: the server does not see its pages", () => {
    const received = receiveLent();
    there.native.noteWrite();
    expect(echo(received, 0, 1).map(({ place }) => isOfStub(place.region))).toEqual([true, true]);
  });

  test("that were cut short fail their requests", () => {
    const first = receiveLent();
    const second = receiveLent();
    there.native.cutShort(second.region);
    expect(echo(first, 0, 1)).toHaveLength(2);
    expect(send([answer([]), answer([])], second)).toMatchObject(
      [0, 1].map(() => ({
        error: {
          code: "INTERNAL",
          message: expect.stringMatching(/^Input 'A' lies in a shared memory region that was cut short/),
        },
      })),
    );
  });
});
