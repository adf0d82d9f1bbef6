// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import {
  fetchOnce,
  look,
  type MirrorOptions,
  mirrorConfig,
  startServer,
  type TestServer,
  TritonClient,
} from "./harness/index.ts";

let server: TestServer;
let client: TritonClient;

const control = (corrid: string) => `
  control_input [
    { name: "START", control [ { kind: CONTROL_SEQUENCE_START, int32_false_true: [ 0, 1 ] } ] },
    { name: "READY", control [ { kind: CONTROL_SEQUENCE_READY, fp32_false_true: [ 0, 1 ] } ] },
    { name: "END", control [ { kind: CONTROL_SEQUENCE_END, bool_false_true: [ false, true ] } ] },
    { name: "CORRID", control [ { kind: CONTROL_SEQUENCE_CORRID, data_type: ${corrid} } ] }
  ]`;

const sequence = (strategy: string, corrid = "TYPE_UINT64", more = "") =>
  mirrorConfig(
    `sequence_batching { max_sequence_idle_microseconds: 60000000, ${strategy} ${control(corrid)} }\n${more}`,
    4,
  );

/** Sums the numbers of a sequence, some of them after a while. */
const SUMS = `
import { InferenceResponse, Tensor } from "triton-typescript";
export default class {
  sums = new Map<unknown, number>();
  begun = 0;
  async execute(requests) {
    return Promise.all(requests.map(async (request) => {
      const [what, number] = request.input("WHAT", "BYTES").strings()[0].split(" ");
      const { correlationId, sequenceStart } = request;
      if (what === "look") return this.answer(this.begun);
      this.begun++;
      if (what === "hold") await new Promise((resolve) => setTimeout(resolve, 500));
      const sum = (sequenceStart ? 0 : this.sums.get(correlationId) ?? Number.NaN) + Number(number);
      this.sums.set(correlationId, sum);
      return this.answer(sum);
    }));
  }
  answer(value: number) {
    return new InferenceResponse([new Tensor("SUM", Float32Array.of(value), [1, 1])]);
  }
}
`;
const SUMS_CONFIG = `
backend: "typescript" max_batch_size: 4
input [ { name: "WHAT" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "SUM" data_type: TYPE_FP32 dims: [ 1 ] } ]
parameters { key: "MAX_IN_FLIGHT_BATCHES" value { string_value: "8" } }
sequence_batching { max_sequence_idle_microseconds: 60000000, direct { }
  control_input [ { name: "READY", control [ { kind: CONTROL_SEQUENCE_READY, int32_false_true: [ 0, 1 ] } ] } ] }
`;

beforeAll(async () => {
  const mirror = (name: string, config: string) => ({ name, fixture: "mirror", config });
  server = await startServer({
    models: [
      mirror("direct", sequence("direct { }")),
      mirror("direct_text", sequence("direct { }", "TYPE_STRING")),
      mirror("direct_int32", sequence("direct { }", "TYPE_INT32")),
      mirror("direct_two", sequence("direct { }", "TYPE_UINT64", "instance_group [ { count: 2, kind: KIND_CPU } ]")),
      mirror("oldest", sequence("oldest { max_candidate_sequences: 4 }")),
      { name: "sums", config: SUMS_CONFIG, files: { "1/model.ts": SUMS } },
    ],
  });
  client = new TritonClient(server);
});

const step = (
  model: string,
  id: number | string,
  ends: { start?: boolean; end?: boolean } = {},
  more: MirrorOptions = {},
) => look(client, model, { rows: 1, sequence: { id, ...ends }, ...more });

describe.each(["direct", "oldest"])("a sequence of the %s strategy", (model) => {
  test.each(["http", "grpc"] as const)("carries its correlation id and flags over %s", async (protocol) => {
    const id = protocol === "http" ? 4001 : 4002;
    const seen = [
      await step(model, id, { start: true }, { protocol }),
      await step(model, id, {}, { protocol }),
      await step(model, id, { end: true }, { protocol }),
    ];
    expect(seen.map(({ correlationId }) => correlationId)).toEqual([id, id, id]);
    expect(seen.map(({ sequenceStart, sequenceEnd }) => [sequenceStart, sequenceEnd])).toEqual([
      [true, false],
      [false, false],
      [false, true],
    ]);
    expect(seen.map(({ flags }) => flags)).toEqual([1, 0, 2]);
  });

  test("may be one request long", async () => {
    const seen = await step(model, 4003, { start: true, end: true });
    expect([seen.flags, seen.sequenceStart, seen.sequenceEnd]).toEqual([3, true, true]);
  });

  test("gets the control inputs", async () => {
    const controls = async (ends: { start?: boolean; end?: boolean }) => {
      const { START, READY, END, CORRID } = (await step(model, 4004, ends)).inputs;
      return { START, READY, END, CORRID };
    };
    const expected = (start: number, end: number) => ({
      START: { datatype: "INT32", shape: [1, 1], data: [start] },
      READY: { datatype: "FP32", shape: [1, 1], data: [1] },
      END: { datatype: "BOOL", shape: [1, 1], data: [end] },
      CORRID: { datatype: "UINT64", shape: [1, 1], data: ["4004n"] },
    });
    expect(await controls({ start: true })).toEqual(expected(1, 0));
    expect(await controls({})).toEqual(expected(0, 0));
    expect(await controls({ end: true })).toEqual(expected(0, 1));
  });

  test("must begin with a start", async () => {
    await expect(step(model, 4005)).rejects.toThrow(/must specify the START flag/);
  });

  test("keeps its order beside other sequences", async () => {
    const ids = [4010, 4011, 4012, 4013];
    const steps = 6;
    const orders = await Promise.all(
      ids.map(async (id) => {
        const found: number[] = [];
        for (let i = 0; i < steps; i++) {
          found.push((await step(model, id, { start: i === 0, end: i === steps - 1 })).order);
        }
        return found;
      }),
    );
    for (const order of orders) expect(order).toEqual([...order].sort((a, b) => a - b));
  });
});

describe("a correlation id", () => {
  test.each(["http", "grpc"] as const)("may be a string over %s", async (protocol) => {
    const id = `séquence-${protocol}`;
    const seen = await step("direct_text", id, { start: true, end: true }, { protocol });
    expect(seen.correlationId).toBe(id);
    expect(seen.inputs["CORRID"]).toEqual({ datatype: "BYTES", shape: [1, 1], data: [id] });
  });

  test.each([99, 129])("that is a number is a text where the model wants one: %d", async (id) => {
    const seen = await step("direct_text", id, { start: true, end: true });
    expect(seen.correlationId).toBe(id);
    expect(seen.inputs["CORRID"]).toEqual({ datatype: "BYTES", shape: [1, 1], data: [String(id)] });
  });

  test("that the control input cannot carry is refused", async () => {
    await expect(step("direct", "abc", { start: true, end: true })).rejects.toThrow(
      /sequence id 'abc' is a text, but the control input 'CORRID' that carries it is UINT64/,
    );
    await expect(step("direct_int32", 2 ** 32 + 5, { start: true, end: true })).rejects.toThrow(
      /sequence id 4294967301 does not fit into INT32/,
    );
    expect((await step("direct_int32", 2 ** 31 - 1, { start: true, end: true })).inputs["CORRID"]?.data).toEqual([
      2 ** 31 - 1,
    ]);
  });

  test("may have 64 bits", async () => {
    const url = `${server.url}/v2/models/direct/infer`;
    const body = `{"parameters":{"sequence_id":18446744073709551615,"sequence_start":true,"sequence_end":true},
      "inputs":[{"name":"INPUT","datatype":"FP32","shape":[1,1],"data":[1]}],"outputs":[{"name":"SEEN"}]}`;
    const reply = (await (await fetchOnce(url, { method: "POST", body })).json()) as { outputs: { data: string[] }[] };
    const seen = JSON.parse(reply.outputs[0]!.data[0]!);
    expect(seen.correlationId).toBe("18446744073709551615n");
    expect(seen.inputs.CORRID.data).toEqual(["18446744073709551615n"]);
  });
});

test("the direct strategy keeps a sequence on its instance", async () => {
  const instances: string[][] = Array.from({ length: 8 }, () => []);
  // In step: all have begun before the first one ends, so that one instance has no room for them.
  for (let at = 0; at < 4; at++) {
    const ends = { start: at === 0, end: at === 3 };
    const seen = await Promise.all(instances.map((_, i) => step("direct_two", 4100 + i, ends)));
    for (const [i, { model }] of seen.entries()) instances[i]!.push(model.instance);
  }
  for (const found of instances) expect(new Set(found).size).toBe(1);
  expect(new Set(instances.flat())).toEqual(new Set(["direct_two_0_0", "direct_two_0_1"]));
});

test("requests of one sequence are executed in order, and others meanwhile, with several batches in flight", async () => {
  const ask = async (what: string, id: number, start: boolean, end: boolean): Promise<number> => {
    const url = `${server.url}/v2/models/sums/infer`;
    const body = JSON.stringify({
      parameters: { sequence_id: id, sequence_start: start, sequence_end: end },
      inputs: [{ name: "WHAT", datatype: "BYTES", shape: [1, 1], data: [what] }],
    });
    const reply = await (await fetchOnce(url, { method: "POST", body })).json();
    return (reply as { outputs: { data: number[] }[] }).outputs[0]!.data[0]!;
  };
  let probe = 4300;
  const first = ask("hold 1", 4200, true, false);
  while ((await ask("look", probe++, true, true)) < 1) await sleep(10);
  const second = ask("add 2", 4200, false, false);
  expect([await first, await second]).toEqual([1, 3]);
  expect(await ask("add 3", 4200, false, true)).toBe(6);
});
