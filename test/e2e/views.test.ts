// SPDX-License-Identifier: Apache-2.0
// How long the data of a tensor may be used.
import { beforeAll, describe, expect, test } from "vitest";
import { inferJson, type ModelSpec, startServer, type TestServer } from "./harness/index.ts";

/** Answers with what it kept of the request before: the length of its view, and the values of its clone. */
const keeper = (name: string, parameters = ""): ModelSpec => ({
  name,
  config: `
backend: "typescript"
input [ { name: "IN", data_type: TYPE_INT32, dims: [ -1 ] } ]
output [
  { name: "LENGTH", data_type: TYPE_INT32, dims: [ 1 ] },
  { name: "CLONE", data_type: TYPE_INT32, dims: [ -1 ] }
]
${parameters}`,
  files: {
    "1/model.ts": `
import { InferenceResponse, Tensor, type InferenceRequest } from "triton-typescript";
export default class Keeper {
  #view = new Int32Array();
  #clone = new Tensor("CLONE", new Int32Array(), [0]);
  execute(requests: InferenceRequest[]) {
    return requests.map((request) => {
      const input = request.input("IN", "INT32");
      const answer = new InferenceResponse([
        new Tensor("LENGTH", new Int32Array([this.#view.length]), [1]),
        new Tensor("CLONE", this.#clone.data, this.#clone.shape, "INT32"),
      ]);
      this.#view = input.data;
      this.#clone = input.clone();
      return answer;
    });
  }
}`,
  },
});

/** Answers with as many numbers as it gets, and fills in the first one only. */
const filler = (name: string, parameters = ""): ModelSpec => ({
  name,
  config: `
backend: "typescript"
input [ { name: "IN", data_type: TYPE_INT32, dims: [ -1 ] } ]
output [ { name: "OUT", data_type: TYPE_INT32, dims: [ -1 ] } ]
${parameters}`,
  files: {
    "1/model.ts": `
import { InferenceResponse, type InferenceRequest } from "triton-typescript";
export default class Filler {
  execute(requests: InferenceRequest[]) {
    return requests.map((request) => {
      const { data, shape } = request.input("IN", "INT32");
      const output = request.allocateOutput("OUT", "INT32", shape);
      if (data[0] === 1) output.data.set(data);
      output.data[0] = data[0]!;
      return new InferenceResponse([output]);
    });
  }
}`,
  },
});

let server: TestServer;

beforeAll(async () => {
  server = await startServer({
    models: [
      keeper("relaxed"),
      keeper("strict", 'parameters { key: "STRICT_VIEWS" value { string_value: "true" } }'),
      filler("fills"),
      filler("fills_strict", 'parameters { key: "STRICT_VIEWS" value { string_value: "true" } }'),
      {
        name: "thief",
        config: `
backend: "typescript"
input [ { name: "IN", data_type: TYPE_INT32, dims: [ -1 ] } ]
output [ { name: "OUT", data_type: TYPE_STRING, dims: [ 1 ] } ]`,
        files: {
          "1/model.ts": `
import { InferenceResponse, Tensor, type InferenceRequest } from "triton-typescript";
export default class Thief {
  execute(requests: InferenceRequest[]) {
    return requests.map((request) => {
      let result = "taken";
      try { (request.input("IN").data.buffer as ArrayBuffer).transfer(); } catch (error) { result = (error as Error).name; }
      return new InferenceResponse([new Tensor("OUT", [result], [1])]);
    });
  }
}`,
        },
      },
    ],
  });
});

const send = async (model: string, data: number[]) => {
  const { body } = await inferJson(server, model, {
    inputs: [{ name: "IN", datatype: "INT32", shape: [data.length], data }],
  });
  expect(body.error).toBeUndefined();
  return Object.fromEntries(body.outputs.map((output: { name: string; data: unknown }) => [output.name, output.data]));
};

describe("STRICT_VIEWS", () => {
  test("empties a view that is kept too long", async () => {
    await send("strict", [1, 2, 3]);
    expect(await send("strict", [4, 5])).toEqual({ LENGTH: [0], CLONE: [1, 2, 3] });
    expect(await send("strict", [6])).toEqual({ LENGTH: [0], CLONE: [4, 5] });
  });

  test("is off by default, where clone() keeps data all the same", async () => {
    await send("relaxed", [1, 2, 3]);
    expect(await send("relaxed", [4, 5])).toEqual({ LENGTH: [3], CLONE: [1, 2, 3] });
  });
});

test.each(["fills", "fills_strict"])(
  "an output that a model does not fill holds nothing of others: %s",
  async (model) => {
    for (let i = 0; i < 3; i++) {
      expect(await send(model, [1, 22, 33, 44])).toEqual({ OUT: [1, 22, 33, 44] });
      expect(await send(model, [2, 55, 66, 77])).toEqual({ OUT: [2, 0, 0, 0] });
    }
  },
);

test("a model cannot take the shared memory away", async () => {
  for (let i = 0; i < 3; i++) expect(await send("thief", [1, 2, 3])).toEqual({ OUT: ["TypeError"] });
});
