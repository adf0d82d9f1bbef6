// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { TritonError } from "../api/errors.ts";
import type { ModelConfig } from "../api/model_config.ts";
import { InferenceResponse } from "../api/response.ts";
import { Tensor } from "../api/tensor.ts";
import { dtypeOfName } from "../ipc/dtype.ts";
import { makeRegion } from "../ipc/record.ts";
import { MeasuredRequest, RequestRecord } from "../ipc/request_record.ts";
import { AnswerMaker } from "./answers.ts";

let write: MockInstance<typeof process.stdout.write>;
beforeEach(() => {
  write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
});
afterEach(() => write.mockRestore());

const config = {
  max_batch_size: 0,
  output: [
    { name: "OUT", data_type: "TYPE_FP32", dims: [-1] },
    { name: "TEXT", data_type: "TYPE_STRING", dims: [2, -1] },
  ],
} as unknown as ModelConfig;
const batched = { ...config, max_batch_size: 4 } as ModelConfig;

const maker = (of: ModelConfig = config) => new AnswerMaker("m_0", of, ["OUT", "TEXT"]);
const floats = (shape: number[], name = "OUT") =>
  new Tensor(name, new Float32Array(shape.reduce((product, side) => product * side, 1)), shape);

interface Asked {
  /** Indices of the outputs that the client wants. Default: 0. */
  readonly wants?: readonly number[];
  /** The shape of the first input; left out, the request has no inputs. */
  readonly inputShape?: readonly number[];
}

function request({ wants = [0], inputShape }: Asked = {}): RequestRecord {
  const inputs = inputShape === undefined ? [] : [{ name: 0, dtype: dtypeOfName("FP32"), shape: inputShape }];
  const head = { id: "", correlationId: 0, flags: 0, timeoutUs: 0, parameters: {} };
  const measured = new MeasuredRequest({ ...head, requested: wants, inputs });
  const region = makeRegion(1, new ArrayBuffer(1 << 10));
  measured.write(region, 0, [{ region: 1, offset: 0, bytes: 0 }]);
  return new RequestRecord(region, 0, measured.bytes, { inputs: ["IN"], outputs: ["OUT", "TEXT"] });
}

const answer = (item: unknown, asked?: Asked, of?: ModelConfig) => maker(of).answer(request(asked), 0, [item]);
const respond = (...outputs: Tensor[]) => new InferenceResponse(outputs);

describe("the result as a whole", () => {
  test.each([undefined, null, "text", {}, 5])("%s is no array", (result) => {
    expect(() => maker().check(result, 1)).toThrow(/^Expected an array in the execute return of model 'm_0'/);
  });

  test.each([respond(), new Tensor("OUT", new Float32Array(1), [1])])(
    "%o: there must be one for each request",
    (result) => {
      expect(() => maker().check(result, 1)).toThrow(
        " Return one InferenceResponse for each request: requests.map(...).",
      );
    },
  );

  test("a tensor in the place of a response", () => {
    expect(answer(new Tensor("OUT", new Float32Array(1), [1])).error?.message).toContain(
      "found type 'Tensor' for request 0 of model 'm_0'. Write new InferenceResponse([tensor]).",
    );
  });

  test.each([0, 2])("%d responses for one request", (length) => {
    expect(() => maker().check(new Array(length).fill(respond()), 1)).toThrow(
      `Expected 1 responses in the execute return of model 'm_0', one for each request, but found ${length}.`,
    );
  });
});

describe("one item", () => {
  test.each([
    [undefined, "undefined"],
    [{}, "Object"],
    [[floats([1])], "Array"],
    [new Error("returned"), "Error"],
    [Promise.resolve(), "Promise"],
    [Object.create(InferenceResponse.prototype), "InferenceResponse"],
  ])("%s is no response", (item, type) => {
    expect(answer(item).error).toMatchObject({
      code: "INTERNAL",
      message: expect.stringContaining(`found type '${type}' for request 0`),
    });
  });

  test("what only looks like a response is told so", () => {
    const fake = Object.setPrototypeOf({ outputs: [] }, InferenceResponse.prototype);
    expect(answer(fake).error?.message).toContain("It was not made by new InferenceResponse().");
  });

  test("a promise in an answer is most likely not awaited, a result that is none not returned", () => {
    expect(answer(Promise.resolve()).error?.message).toContain("Is an await missing?");
    expect(() => maker().check(undefined, 1)).toThrow("Is a return missing?");
  });

  test("a returned TritonError, and one inside a response, keep their code", () => {
    const error = new TritonError("none of that", "NOT_FOUND");
    expect(answer(error).error).toEqual({ code: "NOT_FOUND", message: "none of that" });
    expect(answer(new InferenceResponse([], { error })).error).toEqual({ code: "NOT_FOUND", message: "none of that" });
  });

  test("a bad one does not fail its neighbours", () => {
    const hostile = new Proxy(
      {},
      {
        getPrototypeOf: () => {
          throw new Error("trap");
        },
      },
    );
    const items = [respond(floats([1])), hostile, respond(floats([2]))];
    const answers = items.map((_, i) => maker().answer(request(), i, items));
    expect(answers.map(({ error }) => error?.message)).toEqual([undefined, expect.stringContaining("trap"), undefined]);
  });
});

describe("outputs", () => {
  test("are found by name, and those that the client does not want are dropped", () => {
    const text = new Tensor("TEXT", ["a", "b"], [2, 1]);
    const out = floats([3]);
    expect(answer(respond(text, out), { wants: [0, 1] })).toMatchObject({
      error: undefined,
      outputIndices: [1, 0],
      outputs: [text, out],
    });
    expect(answer(respond(text, out), { wants: [0] })).toMatchObject({ outputIndices: [0], outputs: [out] });
    expect(answer(respond(text, out), { wants: [] })).toMatchObject({ outputs: [] });
  });

  test("one that the client wants is missing", () => {
    expect(answer(respond(floats([1])), { wants: [0, 1] }).error).toEqual({
      code: "INTERNAL",
      message:
        "Model 'm_0' answered without output 'TEXT', which the client asked for. Give every output of " +
        "request.requestedOutputs.",
    });
    expect(answer(respond(), { wants: [0, 1] }).error?.message).toContain("without output 'OUT', 'TEXT', which");
    expect(answer(respond(floats([1])), { wants: [0] }).error).toBeUndefined();
    expect(answer(respond(), { wants: [] }).error).toBeUndefined();
  });

  test("neither presence nor shapes are looked at when the model does not want it, but datatypes are", () => {
    const one = new AnswerMaker("m_0", config, ["OUT", "TEXT"], { checksOutputs: false });
    const loose = (...outputs: Tensor[]) => one.answer(request({ wants: [0, 1] }), 0, [respond(...outputs)]).error;
    expect(loose()).toBeUndefined();
    expect(loose(floats([2, 2]))).toBeUndefined();
    expect(loose(floats([1], "OTU"))).toBeUndefined();
    expect(loose(new Tensor("OUT", new Int32Array(1), [1]))?.message).toContain("has datatype INT32");
  });

  test("something that is no tensor, put there later", () => {
    const response = respond(floats([1]));
    (response.outputs as unknown[]).push("text");
    expect(answer(response).error?.message).toBe("A response of model 'm_0' has an output that is a string.");
  });

  test("a datatype that is not the configured one", () => {
    expect(answer(respond(new Tensor("OUT", new Int32Array(1), [1]))).error?.message).toBe(
      "Output 'OUT' of model 'm_0' has datatype INT32, but its configuration says FP32. Make it a Float32Array, or change " +
        "data_type in config.pbtxt.",
    );
  });

  test.each<[string, Tensor, string]>([
    ["FP32", new Tensor("OUT", new Float64Array(1), [1]), "Make it a Float32Array"],
    ["INT64", new Tensor("OUT", new Int32Array(1), [1]), "Make it a BigInt64Array"],
    ["INT8", new Tensor("OUT", new Uint8Array(1), [1]), "Make it an Int8Array"],
    ["STRING", new Tensor("OUT", new Int32Array(1), [1]), "Make it an array of strings"],
    ["BOOL", new Tensor("OUT", new Uint8Array(1), [1]), "Make it an array of booleans"],
    ["BF16", new Tensor("OUT", new Uint16Array(1), [1]), `Make it by Tensor.fromFloat32(name, data, shape, "BF16")`],
    ["UINT16", new Tensor("OUT", new Uint16Array(1), [1], "FP16"), "Give 'UINT16' as fourth argument of new Tensor"],
  ])("what to do for %s", (wanted, output, told) => {
    const of = { output: [{ name: "OUT", data_type: `TYPE_${wanted}` as never, dims: [1] }] };
    const answered = new AnswerMaker("m_0", of, ["OUT"]).answer(request(), 0, [respond(output)]);
    expect(answered.error?.message).toContain(
      `says ${wanted === "STRING" ? "BYTES" : wanted}. ${told}, or change data_type`,
    );
  });

  test.each([[[2, 2]], [[]], [[1, 1, 1]]])("shape %j where [-1] is asked for", (shape) => {
    expect(answer(respond(floats(shape))).error?.message).toContain(
      `has shape [${shape.join(", ")}], but its configuration asks for [-1].`,
    );
  });

  test("a dimension that is fixed", () => {
    const asked = { wants: [1] };
    expect(answer(respond(new Tensor("TEXT", ["a"], [1, 1])), asked).error?.message).toContain("asks for [2, -1]");
    expect(answer(respond(new Tensor("TEXT", [], [2, 0])), asked).error).toBeUndefined();
  });

  test("the batch size comes first, and is that of the request", () => {
    const asked = { inputShape: [3, 5] };
    expect(answer(respond(floats([3, 7])), asked, batched).error).toBeUndefined();
    expect(answer(respond(floats([2, 7])), asked, batched).error?.message).toContain(
      "asks for [3, -1], the batch size first",
    );
    expect(answer(respond(floats([7])), asked, batched).error?.message).toContain("has shape [7]");
    expect(answer(respond(floats([9, 7])), {}, batched).error).toBeUndefined();
  });

  test("any shape where the class leaves it open, but the batch size and the rank that a reshape takes for granted", () => {
    const reshaped = { ...config.output[1], reshape: { shape: [2, -1] } };
    const open = { openShapes: true };
    const ask = (tensor: Tensor, max_batch_size: number, asked?: Asked) =>
      new AnswerMaker(
        "m_0",
        { max_batch_size, output: [config.output[0], reshaped] } as ModelConfig,
        ["OUT", "TEXT"],
        open,
      ).answer(request(asked), 0, [respond(tensor)]).error?.message;
    for (const shape of [[], [2, 2], [1, 1, 1]]) expect(ask(floats(shape), 0)).toBeUndefined();
    const asked = { inputShape: [3, 5] };
    expect(ask(floats([3, 1, 2]), 4, asked)).toBeUndefined();
    expect(ask(floats([2, 1]), 4, asked)).toContain("asks for [3, ...], the batch size first");
    expect(ask(floats([]), 4, asked)).toContain("has shape []");
    expect(ask(new Tensor("TEXT", ["a", "b"], [2]), 0, { wants: [1] })).toContain("asks for [2, -1]");
    const spoilt = floats([2]);
    (spoilt.shape as number[])[0] = 3;
    expect(ask(spoilt, 0)).toContain("has shape [3]");
  });

  test.each([1.5, -2, Number.NaN, 3, "2"])("a shape that was spoilt with %s", (side) => {
    const tensor = floats([2]);
    (tensor.shape as unknown[])[0] = side;
    expect(answer(respond(tensor)).error?.message).toContain(`has shape [${side}]`);
  });

  test("the same output twice", () => {
    const response = respond(floats([1]));
    (response.outputs as Tensor[]).push(floats([1]));
    expect(answer(response).error?.message).toBe("Model 'm_0' answered with output 'OUT' twice.");
  });

  test("a reshape says what the model must give", () => {
    const reshaped = { output: [{ name: "OUT", data_type: "TYPE_FP32", dims: [1], reshape: { shape: [] } }] };
    expect(answer(respond(floats([])), {}, reshaped as unknown as ModelConfig).error).toBeUndefined();
    expect(answer(respond(floats([1])), {}, reshaped as unknown as ModelConfig).error).toBeDefined();
  });
});

describe("names that are not configured", () => {
  test("an unknown one beside a missing one is taken for a misspelling", () => {
    expect(answer(respond(floats([1], "OTU"))).error?.message).toContain(
      "answered with output 'OTU', which is not in its configuration, and without 'OUT'",
    );
  });

  test("an unknown one beside all others is dropped with one warning", () => {
    const one = maker();
    for (let i = 0; i < 3; i++) {
      const found = one.answer(request(), 0, [respond(floats([1]), floats([1], "MORE"))]);
      expect(found).toMatchObject({ error: undefined, outputIndices: [0] });
    }
    expect(write.mock.calls.map(([text]) => text)).toEqual([
      "\x1eWOutput 'MORE' is dropped, because it is not in the configuration of the model.\n",
    ]);
  });
});
