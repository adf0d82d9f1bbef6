// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from "vitest";
import { Tensor } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import { type Batch, readBatch } from "./batch_reader.ts";
import { Outbox } from "./entries.ts";
import { type Answer, ResponseWriter } from "./response_writer.ts";
import { SharedMemory } from "./shared_memory.ts";
import { CLIENT, FakeNative, INBOUND, OUTBOUND, readAnswer, writeBatch } from "./testing/fake_native.ts";

let native: FakeNative;
let memory: SharedMemory;
let writer: ResponseWriter;
beforeEach(() => {
  native = new FakeNative();
  memory = new SharedMemory(native);
  writer = new ResponseWriter(memory, new Outbox(native));
});

const input = { name: 0, datatype: L.DTYPE_FP32, shape: [2], data: new Uint8Array(Float32Array.of(1, 2).buffer) };
const makeBatch = (count = 1): Batch => {
  const place = writeBatch(native, new Array(count).fill({ inputs: [input] }));
  return readBatch(memory, { inputs: ["A"], outputs: ["X", "Y"] }, { index: 5, generation: 9, place }, false);
};
const answer = (outputs: Tensor[], parameters: Answer["parameters"] = {}): Answer => ({
  error: undefined,
  outputIndices: outputs.map((_, i) => i),
  outputs,
  parameters,
});
const failure = (message: string, code: NonNullable<Answer["error"]>["code"] = "INTERNAL"): Answer => ({
  error: { code, message },
  outputIndices: [],
  outputs: [],
  parameters: {},
});
const onError = (error: unknown) => failure((error as Error).message);
const send = (answers: readonly Answer[], batch = makeBatch(answers.length)) => {
  writer.send(batch, answers, onError);
  return native.sent.map((entry) => readAnswer(native, entry));
};

test("one entry for each request, one send and one block for the batch", () => {
  const [first, second] = send([
    answer([new Tensor("X", Float32Array.of(1, 2, 3), [3, 1])]),
    answer([new Tensor("X", BigInt64Array.of(-1n), []), new Tensor("Y", ["ab", ""], [2])]),
  ]);
  expect(native.sent).toMatchObject([
    { kind: L.ENTRY_RESPONSE, flags: L.RESPONSE_FINAL, batch: 5, generation: 9, request: 0 },
    { kind: L.ENTRY_RESPONSE, flags: L.RESPONSE_FINAL, batch: 5, generation: 9, request: 1 },
  ]);
  expect(native).toMatchObject({ sends: 1, freed: [{ region: OUTBOUND, offset: 0 }] });
  expect(first).toMatchObject({ status: 0, outputs: [{ name: 0, datatype: L.DTYPE_FP32, shape: [3, 1] }] });
  expect(first!.outputs[0]!.bytes).toEqual(new Uint8Array(Float32Array.of(1, 2, 3).buffer));
  expect(second!.outputs).toMatchObject([
    { name: 0, datatype: L.DTYPE_INT64, shape: [] },
    { name: 1, shape: [2] },
  ]);
  expect([...second!.outputs[1]!.bytes]).toEqual([2, 0, 0, 0, 97, 98, 0, 0, 0, 0]);
});

test("parameters of every kind", () => {
  const parameters = { text: "ä", whole: 5, large: -(1n << 62n), yes: true, no: false, half: 0.5 };
  expect(send([answer([], parameters)])[0]!.parameters).toEqual({ ...parameters, whole: 5n });
});

describe("data that lies in shared memory is not copied", () => {
  test("an input", () => {
    const batch = makeBatch();
    const [sent] = send(
      [answer([new Tensor("X", batch.requests[0]!.input("A", "FP32").data.subarray(1), [1])])],
      batch,
    );
    expect(sent!.outputs[0]!.place).toMatchObject({ region: INBOUND, bytes: 4 });
    expect(sent!.outputs[0]!.bytes).toEqual(new Uint8Array(Float32Array.of(2).buffer));
  });

  test("an allocated output, in several responses; its block is freed behind them", () => {
    const batch = makeBatch(2);
    const output = batch.requests[0]!.allocateOutput("X", "FP32", [2]);
    output.data.set([7, 8]);
    const sent = send([answer([output]), answer([output])], batch);
    for (const { outputs } of sent) expect(outputs[0]!.bytes).toEqual(new Uint8Array(Float32Array.of(7, 8).buffer));
    expect(native.freed).toHaveLength(2);
    expect(native.freed[1]).toEqual(sent[0]!.outputs[0]!.place);
  });
});

describe("an answer that cannot be written fails its request alone", () => {
  const good = answer([new Tensor("X", Float32Array.of(1), [1])]);
  const sendBoth = (bad: Answer) => {
    const [first, second] = send([bad, good]);
    expect(second).toMatchObject({ status: 0 });
    expect(first!.status).toBe(L.STATUS_INTERNAL);
    return first!.message;
  };

  test("an output that was allocated for a batch that is answered", () => {
    const earlier = makeBatch();
    const output = earlier.requests[0]!.allocateOutput("X", "FP32", [1]);
    earlier.close();
    expect(sendBoth(answer([output]))).toContain("Output 'X' was allocated for a request that is answered already.");
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
      "The buffer of output 'X' was transferred away, and with it the output's data.",
    );
  });

  test("parameters beyond the limit of a record", () => {
    const message = sendBoth(answer([], { text: "x".repeat(L.MAX_RECORD_BYTES) }));
    expect(message).toMatch(/^The parameters of a response take \d+ bytes, but at most 1048576 fit\./);
  });
});

describe("the memory limit", () => {
  const large = () => answer([new Tensor("X", new Float32Array(1000), [1000])]);

  test("answers that do not fit together go one by one", () => {
    native.limit = 6000;
    const sent = send([large(), large(), large()]);
    expect(sent.map(({ status }) => status)).toEqual([0, 0, 0]);
    expect(native.sends).toBeGreaterThan(1);
  });

  test("one that does not fit alone fails, its neighbours do not", () => {
    native.limit = 2000;
    const small = answer([new Tensor("X", new Float32Array(10), [10])]);
    const sent = send([small, large(), small]);
    expect(sent.map(({ status }) => status)).toEqual([0, L.STATUS_INTERNAL, 0]);
    expect(sent[1]!.message).toContain("Failed to increase the shared memory pool size: a response needs");
  });

  test("without room for the error either, the caller hears of it", () => {
    native.limit = 10;
    expect(() => send([large()])).toThrow("full");
  });

  test("what else addon throws is not taken for it", () => {
    native.allocate = () => {
      throw Object.assign(new Error("broken"), { code: "EPROTO" });
    };
    expect(() => send([large()])).toThrow("broken");
  });
});

describe("errors", () => {
  test.each(Object.entries(L.STATUSES))("%s", (code, status) => {
    const [sent] = send([failure("näin", code as keyof typeof L.STATUSES)]);
    expect(sent).toMatchObject({ status, message: "näin", outputs: [] });
  });

  test("a long message is cut on a whole character", () => {
    const [sent] = send([failure("ä€𝄞".repeat(20_000))]);
    expect(sent!.message).toMatch(/ \.\.\.$/);
    expect(sent!.message).not.toContain("\uFFFD");
    expect(new TextEncoder().encode(sent!.message).length).toBeLessThanOrEqual(L.MAX_MESSAGE_BYTES);
  });
});

test("a batch larger than the outbox", () => {
  const batch = makeBatch(1);
  const sent = send(new Array(600).fill(failure("no")), batch);
  expect(sent).toHaveLength(600);
  expect(native.sent.map(({ request }) => request)).toEqual(Array.from({ length: 600 }, (_, i) => i));
});

test("a view whose buffer is gone is an empty output, and nobody else's answer is lost", () => {
  const kept = new Float32Array(2);
  structuredClone(kept.buffer, { transfer: [kept.buffer] });
  const [first, second] = send([
    answer([new Tensor("X", kept, [0])]),
    answer([new Tensor("X", new Float32Array(1), [1])]),
  ]);
  expect(first!.outputs[0]!.shape).toEqual([0]);
  expect(second!.outputs[0]!.bytes).toHaveLength(4);
});

describe("inputs that lie in a client's region", () => {
  const written = () => new Uint32Array(native.clientFlags);
  /** Two requests, whose inputs follow one another in the client's region. */
  const clientBatch = () => {
    const place = writeBatch(native, [
      { inputs: [{ ...input, offsetInClient: 4096 }] },
      { inputs: [{ ...input, offsetInClient: 4104 }] },
    ]);
    return readBatch(memory, { inputs: ["A"], outputs: ["X"] }, { index: 5, generation: 9, place }, false);
  };
  const echo = (batch: Batch, ...from: number[]) =>
    send(
      from.map((i) => answer([new Tensor("X", batch.requests[i]!.input("A", "FP32").data, [2])])),
      batch,
    ).map(({ outputs }) => outputs[0]!);

  test("are answered where they are", () => {
    expect(echo(clientBatch(), 0, 1).map(({ place }) => place)).toEqual([
      { region: CLIENT, offset: 4096, bytes: 8 },
      { region: CLIENT, offset: 4104, bytes: 8 },
    ]);
  });

  test("of another request are copied: its memory may be gone by then", () => {
    const outputs = echo(clientBatch(), 1, 1);
    expect(outputs.map(({ place }) => place.region)).toEqual([OUTBOUND, CLIENT]);
    expect(outputs[0]!.bytes).toEqual(input.data);
  });

  test("a view beyond the input is copied", () => {
    const batch = clientBatch();
    const { buffer } = batch.requests[0]!.input("A", "FP32").data;
    const [whole, first] = send(
      [
        answer([new Tensor("X", new Float32Array(buffer, 4096, 4), [4])]),
        answer([new Tensor("X", new Float32Array(buffer, 4108, 1), [1])]),
      ],
      batch,
    );
    expect(whole!.outputs[0]!.place.region).toBe(OUTBOUND);
    expect(first!.outputs[0]!.place).toEqual({ region: CLIENT, offset: 4108, bytes: 4 });
  });

  test("that the model wrote into are copied: the server does not see its pages", () => {
    written()[0] = 1;
    expect(echo(clientBatch(), 0, 1).map(({ place }) => place.region)).toEqual([OUTBOUND, OUTBOUND]);
  });

  test("that were cut short fail their requests", () => {
    written()[1] = 1;
    expect(echo(clientBatch(), 0, 1)).toHaveLength(2);
    native.sent.length = 0;
    native.lost.add(CLIENT);
    const batch = clientBatch();
    expect(send([answer([]), answer([])], batch)).toMatchObject(
      [0, 1].map(() => ({
        status: L.STATUSES.INTERNAL,
        message: expect.stringMatching(/^Input 'A' lies in a shared memory region that was cut short/),
      })),
    );
  });
});
