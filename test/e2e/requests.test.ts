// SPDX-License-Identifier: Apache-2.0
// What a model sees of a request, and what a client sees of an answer.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import {
  ClientError,
  fetchOnce,
  inferBinary,
  inferJson,
  look,
  type Protocol,
  requestJson,
  startServer,
  type TestServer,
  TritonClient,
  tensor,
  texts,
  values,
} from "./harness/index.ts";

let server: TestServer;
let client: TritonClient;

beforeAll(async () => {
  const config = readFileSync(new URL("../fixtures/models/answers/config.pbtxt", import.meta.url), "utf8");
  const hides = 'parameters { key: "EXPOSE_ERRORS" value { string_value: "no" } }';
  const discreet = { name: "discreet", fixture: "answers", config: `${config}${hides}` };
  const unchecked = 'parameters { key: "CHECK_OUTPUTS" value { string_value: "false" } }';
  const lenient = { name: "lenient", fixture: "answers", config: `${config}${unchecked}` };
  server = await startServer({ models: ["mirror", "answers", discreet, lenient, "numbers"] });
  client = new TritonClient(server);
});

const protocols: Protocol[] = ["http", "grpc"];

/** The error of a request that must fail. */
async function failure(request: Promise<unknown>): Promise<ClientError> {
  const error = await request.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ClientError);
  return error as ClientError;
}

describe.each(protocols)("a request over %s", (protocol) => {
  test("carries its id", async () => {
    const options = { protocol, id: "request 7 ☂" };
    expect((await look(client, "mirror", options)).id).toBe("request 7 ☂");
    const input = tensor("INPUT", "FP32", [1]);
    expect((await client.infer(protocol, "mirror", { id: "a", inputs: [input] })).id).toBe("a");
  });

  test("has an empty id when the client gives none", async () => {
    expect((await look(client, "mirror", { protocol })).id).toBe("");
  });

  test("carries parameters of every kind", async () => {
    const parameters = { text: "zwölf", small: 12, negative: -3, yes: true, no: false, half: 0.5 };
    expect((await look(client, "mirror", { protocol, parameters })).parameters).toEqual(parameters);
  });

  test("carries its timeout", async () => {
    expect((await look(client, "mirror", { protocol, timeoutUs: 12_345_678 })).timeoutUs).toBe(12_345_678);
  });

  test("names the outputs that the client asks for", async () => {
    expect((await look(client, "mirror", { protocol })).requestedOutputs.sort()).toEqual(["SEEN", "SUM"]);
    expect((await look(client, "mirror", { protocol, outputs: ["SEEN"] })).requestedOutputs).toEqual(["SEEN"]);
  });

  test("gets only the outputs that the client asks for", async () => {
    const reply = await client.infer(protocol, "mirror", {
      inputs: [tensor("INPUT", "FP32", [1, 2])],
      outputs: ["SUM"],
    });
    expect(reply.outputs.map(({ name, data }) => [name, ...(data as Float32Array)])).toEqual([["SUM", 3]]);
  });

  test("may leave an optional input out", async () => {
    const given = [tensor("INPUT", "FP32", [1]), tensor("EXTRA", "BYTES", ["x", ""])];
    const seen = await look(client, "mirror", { protocol, inputs: given });
    expect(seen.hasExtra).toBe(true);
    expect(seen.inputs["EXTRA"]).toEqual({ datatype: "BYTES", shape: [2], data: ["x", ""] });
    const without = await look(client, "mirror", { protocol });
    expect(without.hasExtra).toBe(false);
    expect(Object.keys(without.inputs)).toEqual(["INPUT"]);
  });

  test("gets outputs that the model filled in place", async () => {
    const data = Float32Array.from({ length: 5000 }, (_, i) => i);
    const reply = await client.infer(protocol, "numbers", { inputs: [tensor("INPUT", "FP32", data)] });
    expect(values(reply.output("DOUBLED"))).toEqual([...data].map((value) => value * 2));
    const halved = reply.output("HALVED");
    expect(halved.shape).toEqual([5000]);
    expect([...(halved.data as Uint16Array)].slice(0, 4)).toEqual([0, 0x3800, 0x3c00, 0x3e00]);
  });

  test("gets the parameters of its response", async () => {
    const reply = await client.infer(protocol, "answers", {
      inputs: [tensor("ACTION", "BYTES", ["parameters"], [1, 1])],
    });
    const { large, ...rest } = reply.parameters;
    expect(Number(large)).toBe(2 ** 62);
    expect(rest).toEqual({ text: "zwölf", whole: 7, negative: -5, half: 0.5, yes: true, no: false });
  });
});

test("a 64-bit parameter reaches the model whole", async () => {
  const url = `${server.url}/v2/models/mirror/infer`;
  const body = `{"parameters":{"large":9007199254740993,"least":-9223372036854775808},"inputs":[{"name":"INPUT","datatype":"FP32","shape":[1],"data":[1]}]}`;
  const reply = (await (await fetchOnce(url, { method: "POST", body })).json()) as { outputs: { data: string[] }[] };
  const seen = JSON.parse(reply.outputs[0]!.data[0]!);
  expect(seen.parameters).toEqual({ large: "9007199254740993n", least: "-9223372036854775808n" });
});

test("plain JSON works", async () => {
  const reply = await inferJson(server, "numbers", {
    id: "json",
    inputs: [{ name: "INPUT", datatype: "FP32", shape: [3], data: [1, 2.5, -4] }],
    outputs: [{ name: "DOUBLED" }],
  });
  expect(reply).toEqual({
    status: 200,
    body: {
      id: "json",
      model_name: "numbers",
      model_version: "1",
      outputs: [{ name: "DOUBLED", datatype: "FP32", shape: [3], data: [2, 5, -8] }],
    },
  });
});

test("the generate extension works", async () => {
  const { status, body } = await requestJson(`${server.url}/v2/models/mirror/generate`, { INPUT: [1, 2.5], id: "g" });
  expect(status).toBe(200);
  expect(body.SUM).toBe(3.5);
  expect(JSON.parse(body.SEEN)).toMatchObject({ id: "g", inputs: { INPUT: { shape: [2], data: [1, 2.5] } } });
});

test("the binary tensor extension works by hand", async () => {
  const reply = await inferBinary(server, "mirror", [
    tensor("INPUT", "FP32", [1, 2, 3]),
    tensor("EXTRA", "BYTES", ["one", "", "drei 3"]),
  ]);
  expect(reply.status).toBe(200);
  const seen = reply.outputs.find(({ name }) => name === "SEEN")!;
  expect(JSON.parse(texts(seen)[0]!).inputs).toEqual({
    INPUT: { datatype: "FP32", shape: [3], data: [1, 2, 3] },
    EXTRA: { datatype: "BYTES", shape: [3], data: ["one", "", "drei 3"] },
  });
});

/** Code, HTTP status, gRPC status. Triton's HTTP server knows no status of its own for some of the codes. */
const statusOfCode = [
  ["UNKNOWN", "400", "UNKNOWN"],
  ["INTERNAL", "500", "INTERNAL"],
  ["NOT_FOUND", "404", "NOT_FOUND"],
  ["INVALID_ARG", "400", "INVALID_ARGUMENT"],
  ["UNAVAILABLE", "503", "UNAVAILABLE"],
  ["UNSUPPORTED", "501", "UNIMPLEMENTED"],
  ["ALREADY_EXISTS", "400", "ALREADY_EXISTS"],
  ["CANCELLED", "400", "CANCELLED"],
] as const;

const act = (protocol: Protocol, action: string, model = "answers") =>
  client.infer(protocol, model, { inputs: [tensor("ACTION", "BYTES", [action], [1, 1])] });

describe("a TritonError", () => {
  test.each(statusOfCode)("%s keeps its code over HTTP and gRPC", async (code, http, grpc) => {
    const [overHttp, overGrpc] = await Promise.all([
      failure(act("http", `return ${code}`)),
      failure(act("grpc", `return ${code}`)),
    ]);
    expect([overHttp.message, overHttp.status]).toEqual([`asked for ${code}`, http]);
    expect([overGrpc.message, overGrpc.status]).toEqual([`asked for ${code}`, `StatusCode.${grpc}`]);
  });

  test.each(["throw", "respond"])("may come by %s", async (action) => {
    const error = await failure(act("grpc", `${action} NOT_FOUND`));
    expect([error.message, error.status]).toEqual(["asked for NOT_FOUND", "StatusCode.NOT_FOUND"]);
  });
});

describe("another error", () => {
  test("is one sentence to the client and a stack for the log", async () => {
    const error = await failure(act("http", "crash"));
    expect(error.status).toBe("500");
    expect(error.message).toBe(
      "Failed to process the request(s) for model 'answers_0', message: RangeError: the number 42 is out of range",
    );
    await server.waitForLog(/failDeepInside .*answers\/1\/model\.ts:13:\d+/);
    expect(server.logLines("RangeError: the number 42")[0]).toMatch(/^E\d{4} .*answers_0/);
  });

  test("can be kept from the client, who gets an id that the log has, too", async () => {
    const error = await failure(act("http", "crash", "discreet"));
    const id = /^Failed to process .* under error id (\w+)\.$/.exec(error.message)?.[1];
    expect(error.message).not.toContain("42");
    await server.waitForLog(new RegExp(`discreet_0\\] Error ${id}: RangeError: the number 42`));
    await server.waitForLog(/discreet_0\].*failDeepInside .*discreet\/1\/model\.ts:13:\d+/);
    expect((await failure(act("http", "throw NOT_FOUND", "discreet"))).message).toBe("asked for NOT_FOUND");
  });

  test("may be any value", async () => {
    const error = await failure(act("http", "text"));
    expect(error.message).toMatch(/a text, not an Error/);
    expect(error.status).toBe("500");
  });
});

describe("a wrong answer", () => {
  const cases = [
    ["shape", /Output 'DONE' of model 'answers_0' has shape \[1, 2\], but its configuration asks for \[1, 1\]/],
    ["rows", /Output 'DONE' of model 'answers_0' has shape \[2, 1\], but its configuration asks for \[1, 1\]/],
    ["datatype", /Output 'DONE' of model 'answers_0' has datatype FP32, but its configuration says BYTES/],
    ["name", /answered with output 'DOME'.*without 'DONE'/],
    ["object", /Expected an 'InferenceResponse' object in the execute function return list, found type 'Object'/],
    ["few", /Expected 1 responses .* found 0/],
    ["nothing", /Expected an array in the execute return of model 'answers_0', found type 'undefined'/],
  ] as const;

  test.each(cases)("%s is told to the client", async (action, message) => {
    const error = await failure(act("http", action));
    expect(error.message).toMatch(message);
    expect(error.status).toBe("500");
    expect(texts((await act("grpc", "ok")).output("DONE"))[0]).toMatch(/^ok of /);
  });

  test("of another shape, or without an output, is the model's affair where CHECK_OUTPUTS is false", async () => {
    expect((await act("grpc", "shape", "lenient")).output("DONE").shape).toEqual([1, 2]);
    expect((await act("grpc", "name", "lenient")).outputs).toEqual([]);
    expect((await failure(act("http", "datatype", "lenient"))).message).toContain("has datatype FP32");
  });

  test("a further output is dropped with a warning", async () => {
    expect((await act("grpc", "extra")).outputs.map(({ name }) => name)).toEqual(["DONE"]);
    await server.waitForLog("Output 'MORE' is dropped");
  });
});

describe("what the server checks itself", () => {
  test("an input that is missing, unknown, of another datatype or shape", async () => {
    const infer = (...inputs: ReturnType<typeof tensor>[]) => failure(client.infer("http", "mirror", { inputs }));
    expect((await infer(tensor("EXTRA", "BYTES", ["a"]))).message).toMatch(/INPUT/);
    expect((await infer(tensor("INPUT", "FP32", [1]), tensor("OTHER", "FP32", [1]))).message).toMatch(/OTHER/);
    expect((await infer(tensor("INPUT", "INT32", [1]))).message).toMatch(/INT32.*FP32/);
    expect((await infer(tensor("INPUT", "FP32", [1, 2], [1, 2]))).message).toMatch(/shape/);
  });

  test("BYTES whose lengths do not fit are an error of the request alone", async () => {
    const reply = await fetchOnce(`${server.url}/v2/models/mirror/infer`, {
      method: "POST",
      headers: { "Inference-Header-Content-Length": "201" },
      body: Buffer.concat([
        Buffer.from(
          JSON.stringify({
            inputs: [
              { name: "INPUT", datatype: "FP32", shape: [1], data: [1] },
              { name: "EXTRA", datatype: "BYTES", shape: [1], parameters: { binary_data_size: 8 } },
            ],
          }).padEnd(201),
        ),
        Buffer.from([200, 0, 0, 0, 1, 2, 3, 4]),
      ]),
    });
    expect(reply.status).toBe(400);
    expect((await look(client, "mirror")).hasExtra).toBe(false);
  });
});
