// SPDX-License-Identifier: Apache-2.0
// The models of the soak: what they answer follows from what they are asked, whichever process or revision answers.
import type { ModelSpec } from "../e2e/harness/index.ts";

const HEAD = `
import { setTimeout as sleep } from "node:timers/promises";
import { InferenceRequest, InferenceResponse, Tensor } from "triton-typescript";
`;
const ints = (kind: "input" | "output", name: string) =>
  `${kind} [ { name: "${name}" data_type: TYPE_INT32 dims: [ -1 ] } ]\n`;
const shape = ints("input", "IN") + ints("output", "OUT");
const two = "instance_group [ { kind: KIND_CPU count: 2 } ]\n";
const inFlight = 'parameters { key: "MAX_IN_FLIGHT_BATCHES" value { string_value: "16" } }\n';

const model = (name: string, more: string, code: string): ModelSpec => ({
  name,
  config: `backend: "typescript"\n${shape}${more}`,
  files: { "1/model.ts": HEAD + code },
});

/** Adds one to each element. */
const step = model(
  "step",
  two,
  `export default class {
  execute(requests) {
    return requests.map((request) => {
      const { data, shape } = request.input("IN", "INT32");
      return new InferenceResponse([new Tensor("OUT", data.map((value) => value + 1), shape)]);
    });
  }
}`,
);

/** IN: [first, count]. Streams so many numbers from the first on, with pauses: a long stream has one before each. */
const numbers = model(
  "numbers",
  "model_transaction_policy { decoupled: true }\n",
  `export default class {
  async *stream(request) {
    const [first, count] = request.input("IN", "INT32").data;
    for (let i = 0; i < count; i++) {
      if (count > 1000 || i % 8 === 7) await sleep(1);
      yield new InferenceResponse([new Tensor("OUT", Int32Array.of(first + i), [1])]);
    }
  }
}`,
);

/**
 * IN: [first, count]. Calls step three times, one after the other, and numbers for the sum of what it streams; gives another call of
 * numbers up in the middle.
 */
const caller = model(
  "caller",
  two + inFlight,
  `const call = (modelName, data) => new InferenceRequest({ modelName, inputs: [new Tensor("IN", data, [data.length])] });
export default class {
  execute(requests) {
    return Promise.all(requests.map((request) => this.answer(request)));
  }
  async answer(request) {
    const asked = request.input("IN", "INT32").data.slice();
    let data = asked;
    for (let i = 0; i < 3; i++) data = (await call("step", data).exec()).output("OUT", "INT32").data;
    const endless = Int32Array.of(0, 1e6);
    for await (const _ of call("numbers", endless).stream()) break;
    let sum = 0;
    for await (const response of call("numbers", asked).stream()) {
      const output = response.optionalOutput("OUT", "INT32");
      if (output) sum += output.data[0];
    }
    return new InferenceResponse([new Tensor("OUT", Int32Array.of(...data, sum), [3])]);
  }
}`,
);

export const MODELS: readonly ModelSpec[] = [step, numbers, caller];
/** Their processes. */
export const PROCESSES = 5;
