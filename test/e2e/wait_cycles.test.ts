// SPDX-License-Identifier: Apache-2.0
// Models that wait for each other for ever, on the real server: the log names them, and a time limit ends it.
import { beforeAll, describe, expect, test } from "vitest";
import { inferJson, type ModelSpec, startServer, type TestServer, until } from "./harness/index.ts";

/** Answers at once with a depth of 0; otherwise with what another model answers, one step less deep. */
const code = `
import { type InitializeArgs, InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";

export default class Waits implements TritonModel {
  #friend = "";
  initialize({ modelConfig }: InitializeArgs) {
    this.#friend = modelConfig.parameters!["FRIEND"]!.string_value!;
  }
  async execute(requests: InferenceRequest[]) {
    return Promise.all(requests.map(async (request) => {
      const depth = request.input("IN", "INT32").data[0]!;
      if (depth === 0) return new InferenceResponse([new Tensor("OUT", Int32Array.of(7), [1])]);
      const inputs = [new Tensor("IN", Int32Array.of(depth - 1), [1])];
      const answer = await new InferenceRequest({ modelName: this.#friend, inputs }).exec();
      return new InferenceResponse([answer.output("OUT", "INT32")]);
    }));
  }
}`;

const waits = (name: string, friend: string, more = ""): ModelSpec => ({
  name,
  config: `backend: "typescript"
input [ { name: "IN", data_type: TYPE_INT32, dims: [ 1 ] } ]
output [ { name: "OUT", data_type: TYPE_INT32, dims: [ 1 ] } ]
parameters { key: "FRIEND" value { string_value: "${friend}" } }
parameters { key: "EXECUTE_TIMEOUT_SECONDS" value { string_value: "15" } }
${more}`,
  files: { "1/model.ts": code },
});

let server: TestServer;

beforeAll(async () => {
  server = await startServer({
    models: [
      waits("selfish", "selfish"),
      waits("ping", "pong"),
      waits("pong", "ping"),
      waits("two", "two", "instance_group [ { count: 2, kind: KIND_CPU } ]"),
      waits("many", "many", 'parameters { key: "MAX_IN_FLIGHT_BATCHES" value { string_value: "4" } }'),
    ],
  });
});

async function ask(model: string, depth: number) {
  const { status, body } = await inferJson(server, model, {
    inputs: [{ name: "IN", datatype: "INT32", shape: [1], data: [depth] }],
  });
  return status === 200 ? body.outputs[0].data[0] : body.error;
}

/** What the log says of models that wait. */
const warnings = (part: string) => server.logLines(part).filter((line) => line.startsWith("W"));

describe("a request ends with the time limit, and the log has said once why it waited:", () => {
  test.concurrent.each([
    ["selfish", 1, /Model 'selfish' waits for itself: all of its instances/],
    ["ping", 2, /Models wait for each other, ('ping' -> 'pong' -> 'ping'|'pong' -> 'ping' -> 'pong'): all of their/],
  ])("%s", async (model, depth, says) => {
    expect(await ask(model, depth)).toContain("did not answer within 15 seconds (EXECUTE_TIMEOUT_SECONDS)");
    const [name] = says.source.split(/ waits| wait/);
    const lines = warnings(name!).filter((line) => says.test(line));
    expect(lines).toHaveLength(1);
    // What held all of them up is gone.
    await until(async () => (await ask(model, 0)) === 7, "an answer", 60_000, server);
  });
});

test("a model with a free instance, or room in its only one, does not wait for itself", async () => {
  expect(await ask("two", 1)).toBe(7);
  expect(await ask("many", 3)).toBe(7);
  expect(warnings("'two'")).toEqual([]);
  expect(warnings("'many'")).toEqual([]);
});
