// SPDX-License-Identifier: Apache-2.0
// What a real server never does: a fake fetch answers here.
import { describe, expect, it } from "vitest";
import { Tensor } from "../../stub/src/api/tensor.ts";
import { collect, failure } from "../testing/calls.ts";
import { base64 } from "./base64.ts";
import { baseOf } from "./endpoint.ts";
import { HttpClient } from "./http_client.ts";

const asked: { url: string; init: RequestInit }[] = [];

/** A client that is answered this, whatever it asks. */
function clientOf(
  body: ConstructorParameters<typeof Response>[0],
  init: ResponseInit = {},
  options: object = {},
): HttpClient {
  asked.length = 0;
  const fetch = (url: string, request: RequestInit) => {
    asked.push({ url, init: request });
    return Promise.resolve(new Response(body, init));
  };
  return new HttpClient({ url: "http://fake:8000", fetch, ...options });
}

const EVENTS = { headers: { "Content-Type": "text/event-stream; charset=utf-8" } };

const output = (more: object) => ({ model_name: "m", outputs: [{ name: "o", datatype: "FP32", shape: [2], ...more }] });

describe("answers", () => {
  it.each<[string, unknown, RegExp]>([
    ["no JSON", "<html>", /not JSON/],
    ["nothing", "", /not the answer of a model/],
    ["something else", { live: true }, /not the answer of a model/],
    ["no data", output({}), /data of output 'o' is missing/],
    ["too few elements", output({ data: [1] }), /1 elements/],
    ["bytes that are not there", output({ parameters: { binary_data_size: 8 } }), /incomplete.*'o'/],
    ["a negative size", output({ parameters: { binary_data_size: -8 } }), /incomplete/],
    ["a shape that is none", output({ shape: "2", data: [1, 2] }), /shape of tensor 'o'/],
    ["an unknown datatype", output({ datatype: "FP4", data: [1, 2] }), /FP4/],
    ["outputs that are no list", { model_name: "m", outputs: "abc" }, /outputs should be an array, but are "abc"/],
    [
      "an output that is none",
      { model_name: "m", outputs: [null] },
      /output 0 should be an object with a name, but is null/,
    ],
    ["an output without a name", { model_name: "m", outputs: [{}] }, /output 0 should be an object with a name/],
    ["another number of rows", output({ data: [[1], [2], [3]] }), /shape \[2\].*has a row of 3 where 2 belong/],
    [
      "rows in a shape without",
      output({ data: [[1], [2]] }),
      /element 0 of output 'o' should be FP32, but is an array/,
    ],
    ["uneven rows", output({ shape: [2, 2], data: [[1, 2], [3]] }), /shape \[2, 2\].*has a row of 1 where 2 belong/],
    ["what is no row", output({ shape: [2, 2], data: [[1, 2], 3] }), /its data is 3 where 2 belong/],
    ["a row among elements", output({ data: [1, [2]] }), /element 1 of output 'o' should be FP32, but is an array/],
  ])("with %s cannot be read, which says why", async (_name, body, why) => {
    const client = clientOf(typeof body === "string" ? body : JSON.stringify(body));
    const error = await failure(client.infer("m", []));
    expect(error).toMatchObject({ reason: "PROTOCOL", code: "INTERNAL", model: "m", host: "http://fake:8000" });
    expect(error.message).toMatch(why);
  });

  it.each<[string, unknown, string]>([
    ["UINT32", "x", '"x"'],
    ["UINT32", "7", '"7"'],
    ["UINT32", {}, "an object"],
    ["UINT32", 2 ** 32, "4294967296"],
    ["INT32", 1.5, "1.5"],
    ["INT32", null, "null"],
    ["INT32", true, "true"],
    ["UINT8", 300, "300"],
    ["UINT8", -1, "-1"],
    ["INT8", 128, "128"],
    ["INT64", 1.5, "1.5"],
    ["INT64", "7", '"7"'],
    ["INT64", null, "null"],
    ["UINT64", -1, "-1"],
    ["FP32", "1", '"1"'],
    ["FP32", null, "null"],
    ["FP64", true, "true"],
    ["BOOL", 2, "2"],
    ["BOOL", "false", '"false"'],
    ["BYTES", 1, "1"],
    ["BYTES", null, "null"],
  ])("with an element of %s that is %j", async (datatype, element, described) => {
    const good = datatype === "BYTES" ? "" : 1;
    const client = clientOf(JSON.stringify(output({ datatype, data: [good, element] })));
    const error = await failure(client.infer("m", []));
    expect(error).toMatchObject({ reason: "PROTOCOL", model: "m" });
    expect(error.message).toContain(`element 1 of output 'o' should be ${datatype}, but is ${described}.`);
  });

  it.each<[string, unknown[]]>([
    ["UINT8", [0, 255]],
    ["INT8", [-128, 127]],
    ["UINT32", [0, 2 ** 32 - 1]],
    ["INT32", [-(2 ** 31), 1]],
    ["FP32", [0.5, -1]],
    ["FP64", [0.1, 1e300]],
    ["BOOL", [true, false]],
    ["BOOL", [0, 1]],
    ["INT64", [Number.MIN_SAFE_INTEGER, 1]],
    ["UINT64", [Number.MAX_SAFE_INTEGER, 0]],
  ])("with elements of %s as JSON have %j", async (datatype, data) => {
    const { outputs } = await clientOf(JSON.stringify(output({ datatype, data }))).infer("m", []);
    expect(Array.from(outputs[0]!.data as Uint8Array, Number)).toEqual(data.map(Number));
  });

  it("may have their elements in nested rows", async () => {
    const data = [
      [[1], [2], [3]],
      [[4], [5], [6]],
    ];
    const { outputs } = await clientOf(JSON.stringify(output({ shape: [2, 3, 1], data }))).infer("m", []);
    expect([...outputs[0]!.data]).toEqual([1, 2, 3, 4, 5, 6]);
    const words = output({ datatype: "BYTES", shape: [1, 2], data: [["a", "b"]] });
    expect((await clientOf(JSON.stringify(words)).infer("m", [])).output("o", "BYTES").strings()).toEqual(["a", "b"]);
  });

  it("are views on what came where they lie well, and copies elsewhere", async () => {
    const json = (pad: string) => JSON.stringify({ ...output({ parameters: { binary_data_size: 8 } }), id: pad });
    for (const pad of ["", "1", "12", "123"]) {
      const header = new TextEncoder().encode(json(pad));
      const body = new Uint8Array([...header, ...new Uint8Array(Float32Array.of(1, 2).buffer)]);
      const headers = { "Inference-Header-Content-Length": String(header.length) };
      const { data } = (await clientOf(body, { headers }).infer("m", [])).output("o", "FP32");
      expect([...data]).toEqual([1, 2]);
    }
  });

  const metadata = { name: "m", versions: ["1"], platform: "", inputs: [], outputs: [] };
  const tensor = { name: "t", datatype: "FP32", shape: [1] };
  const statistic = {
    name: "m",
    version: "1",
    last_inference: 0,
    inference_count: 0,
    execution_count: 0,
    inference_stats: {},
    batch_stats: [],
  };
  const memory = { name: "a", key: "/a", offset: 0, byte_size: 1 };

  it.each<[string, unknown, string]>([
    ["serverMetadata", 5, "it should be an object, but is 5"],
    ["serverMetadata", null, "it should be an object, but is null"],
    ["serverMetadata", [], "it should be an object, but is an array"],
    ["serverMetadata", {}, "its name should be a string, but is missing"],
    ["serverMetadata", { name: "triton", version: 2, extensions: [] }, "its version should be a string, but is 2"],
    [
      "serverMetadata",
      { name: "triton", version: "2", extensions: [{}] },
      "its extensions[0] should be a string, but is",
    ],
    ["modelMetadata", {}, "its name should be a string"],
    ["modelMetadata", { ...metadata, platform: 1 }, "its platform should be a string"],
    ["modelMetadata", { ...metadata, versions: "x" }, 'its versions should be an array, but is "x"'],
    ["modelMetadata", { ...metadata, inputs: undefined }, "its inputs should be an array, but is missing"],
    ["modelMetadata", { ...metadata, inputs: [null] }, "its inputs[0] should be an object, but is null"],
    [
      "modelMetadata",
      { ...metadata, outputs: [{ ...tensor, datatype: 1 }] },
      "its outputs[0].datatype should be a string",
    ],
    [
      "modelMetadata",
      { ...metadata, outputs: [tensor, { ...tensor, shape: ["1"] }] },
      "its outputs[1].shape[0] should be",
    ],
    ["modelConfig", [], "it should be an object"],
    ["modelConfig", { name: "m", output: [] }, "its input should be an array, but is missing"],
    ["modelConfig", { name: "m", input: [], output: [5] }, "its output[0] should be an object, but is 5"],
    ["statistics", {}, "its model_stats should be an array, but is missing"],
    ["statistics", { model_stats: [null] }, "its model_stats[0] should be an object, but is null"],
    [
      "statistics",
      { model_stats: [{ ...statistic, inference_count: "1" }] },
      "its model_stats[0].inference_count should",
    ],
    ["statistics", { model_stats: [{ ...statistic, inference_stats: { queue: 1 } }] }, ".inference_stats.queue should"],
    [
      "statistics",
      { model_stats: [{ ...statistic, batch_stats: [{}] }] },
      ".batch_stats[0].batch_size should be a number",
    ],
    ["statistics", { model_stats: [{ ...statistic, memory_usage: 1 }] }, ".memory_usage should be an array"],
    ["statistics", { model_stats: [{ ...statistic, response_stats: [] }] }, ".response_stats should be an object"],
    ["repositoryIndex", {}, "it should be an array, but is an object"],
    ["repositoryIndex", [null], "it[0] should be an object"],
    ["repositoryIndex", [{ name: "m", state: 1 }], "it[0].state should be a string, but is 1"],
    ["logSettings", [], "it should be an object"],
    ["logSettings", { log_info: {} }, "its log_info should be a string, a number or a boolean, but is an object"],
    ["traceSettings", { trace_rate: 1 }, "its trace_rate should be a string, but is 1"],
    ["traceSettings", { trace_level: [1] }, "its trace_level[0] should be a string, but is 1"],
    ["systemSharedMemoryStatus", {}, "it should be an array"],
    ["systemSharedMemoryStatus", [{ ...memory, offset: "0" }], 'it[0].offset should be a number, but is "0"'],
    ["generate", null, "it should be an object, but is null"],
    ["generate", { error: 5 }, "it is not the answer of a model"],
    ["generate", { model_name: 5, o: 1 }, "it is not the answer of a model"],
  ])("to %s that are %j cannot be read, which says why", async (method, body, why) => {
    const client = clientOf(JSON.stringify(body)) as unknown as Record<string, (...of: unknown[]) => Promise<unknown>>;
    const isOfModel = /^(model|statistics|generate)/.test(method);
    const error = await failure(isOfModel ? client[method]!("m", {}) : client[method]!());
    expect(error).toMatchObject({ reason: "PROTOCOL", code: "INTERNAL", model: isOfModel ? "m" : undefined });
    expect(error.message).toContain(`cannot be read: ${why.startsWith(".") ? `its model_stats[0]${why}` : why}`);
  });

  it("of an old server may lack what it does not know", async () => {
    expect(await clientOf(JSON.stringify({ model_stats: [statistic] })).statistics()).toEqual([statistic]);
    expect(await clientOf('[{"name":"m"}]').repositoryIndex()).toEqual([{ name: "m" }]);
  });

  it.each<[string, string | null, ResponseInit, RegExp]>([
    [
      "a page",
      "<html>",
      { headers: { "Content-Type": "text/html" } },
      /has the content type "text\/html" and the status 200/,
    ],
    ["JSON", "null", { headers: { "Content-Type": "application/json" } }, /"application\/json"/],
    ["a type that only begins so", "", { headers: { "Content-Type": "text/event-streams" } }, /"text\/event-streams"/],
    ["an empty body", "", { headers: { "Content-Type": "" } }, /has no content type and the status 200/],
    ["nothing", null, { status: 204 }, /has no content type and the status 204/],
    ["an event that is no JSON", "data: {\n\n", EVENTS, /not JSON/],
    ["an event that is null", "data: null\n\n", EVENTS, /should be an object, but is null/],
    ["an event without data", "data:\n\n", EVENTS, /should be an object, but is missing/],
    ["an event of another kind", 'data: {"outputs":[1]}\n\n', EVENTS, /not the answer of a model/],
  ])("to generateStream that are %s cannot be read, which says why", async (_name, body, init, why) => {
    for (const throwOnError of [true, false]) {
      const error = await failure(collect(clientOf(body, init).generateStream("m", {}, { throwOnError })));
      expect(error).toMatchObject({ reason: "PROTOCOL", model: "m" });
      expect(error.message).toMatch(why);
    }
  });

  it("to generateStream may be without responses", async () => {
    expect(await collect(clientOf("", EVENTS).generateStream("m", {}))).toEqual([]);
  });

  it("of something in between keep their status and text", async () => {
    const error = await failure(clientOf("Bad gateway.", { status: 502 }).infer("m", []));
    expect(error).toMatchObject({ status: 502, code: "UNAVAILABLE", serverMessage: "Bad gateway." });
    const denied = await failure(clientOf("", { status: 401 }).serverMetadata());
    expect(denied).toMatchObject({ status: 401, code: "UNKNOWN" });
    expect(denied.message).toContain("no reason given");
  });

  it("that stop in the middle of a stream are an error", async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('data: {"model_name":"m","o":1}\n\n'));
      },
      pull(controller) {
        controller.error(new TypeError("terminated"));
      },
    });
    const seen: unknown[] = [];
    const read = async () => {
      for await (const part of clientOf(body, EVENTS).generateStream("m", {})) seen.push(part["o"]);
    };
    expect(await failure(read())).toMatchObject({ reason: "UNREACHABLE" });
    expect(seen).toEqual([1]);
  });
});

describe("requests", () => {
  it("have headers and limits of the call, and behind them those of the client", async () => {
    const client = clientOf("[]", {}, { headers: { a: "1", b: "1" } });
    await client.repositoryIndex({ headers: { b: "2" } });
    expect(asked[0]!.init.headers).toMatchObject({ a: "1", b: "2" });
  });

  it("are JSON alone where no tensor is sent as bytes", async () => {
    const client = clientOf(JSON.stringify({ model_name: "m" }));
    await client.infer("m", [new Tensor("i", Int8Array.of(1), [1])], { binary: false, correlationId: 2n ** 63n });
    const { init, url } = asked[0]!;
    expect(url).toBe("http://fake:8000/v2/models/m/infer");
    expect(init.body).toBe(
      '{"parameters":{"sequence_id":9223372036854775808,"sequence_start":false,"sequence_end":false,"binary_data_output":false},' +
        '"inputs":[{"name":"i","datatype":"INT8","shape":[1],"data":[1]}]}',
    );
  });

  it("with an option that there is not are refused", async () => {
    const error = await failure(clientOf("{}").infer("m", [], { timeout: 3 } as never));
    expect(error.message).toContain("there is no option 'timeout'. A limit for the call is 'deadlineMs'");
    expect(asked).toEqual([]);
  });

  it("of generate have inputs, id and parameters", async () => {
    await clientOf('{"model_name":"m"}').generate("m", { a: [1], b: "x" }, { id: "7", parameters: { c: 1n } });
    expect(asked[0]!.init.body).toBe('{"a":[1],"b":"x","id":"7","parameters":{"c":1}}');
    const error = await failure(clientOf("").generate("m", {}, { parameters: { c: Number.NaN } }));
    expect(error.message).toContain("parameter 'c'");
    expect(asked).toEqual([]);
  });
});

describe("baseOf", () => {
  it.each([
    ["127.0.0.1:9000", "http://127.0.0.1:9000"],
    ["localhost", "http://localhost:8000"],
    ["http://a", "http://a"],
    ["https://a/triton/", "https://a/triton"],
    ["[::1]:8000", "http://[::1]:8000"],
  ])("%s is %s", (url, base) => {
    expect(baseOf(url)).toBe(base);
  });

  it.each(["", "a b", "ftp://a", "http://", "/triton", undefined])("refuses %j", (url) => {
    expect(() => baseOf(url)).toThrow(/such as http:\/\/127.0.0.1:8000/);
  });
});

it("base64 is that of others", () => {
  for (const length of [0, 1, 2, 3, 0x8000 - 1, 0x8000, 0x8001, 100_000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 7);
    expect(base64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
  }
  expect(base64("größer")).toBe(Buffer.from("größer").toString("base64"));
});
