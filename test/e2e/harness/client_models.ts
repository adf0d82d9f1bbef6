// SPDX-License-Identifier: Apache-2.0
// Models for the tests of the package's clients.
import { type InferenceResult, Tensor } from "../../../client/http/index.ts";
import type { ModelSpec } from "./repository.ts";

/**
 * Says what a request was, and does what its input says: "echo", "sleep" until it is cancelled, "nap" for a
 * second, wait at the gate that it names, or answer with a code of Triton.
 */
export const TALKER: ModelSpec = {
  name: "talker",
  config: `
backend: "typescript"
input [
  { name: "WHAT", data_type: TYPE_STRING, dims: [ 1 ] },
  { name: "DATA", data_type: TYPE_FP32, dims: [ -1 ], optional: true }
]
output [ { name: "SEEN", data_type: TYPE_STRING, dims: [ 1 ] }, { name: "DATA_OUT", data_type: TYPE_FP32, dims: [ -1 ] } ]`,
  files: {
    "1/model.ts": `
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { InferenceResponse, Tensor, TritonError } from "triton-typescript";
export default class {
  execute(requests) { return Promise.all(requests.map((request) => this.answer(request))); }
  async answer(request) {
    const what = request.input("WHAT", "BYTES").strings()[0];
    if (what === "sleep") {
      console.info("asleep");
      try {
        await sleep(60_000, undefined, { signal: request.signal });
      } catch {
        console.info("woken, cancelled: " + request.isCancelled);
      }
      return new TritonError("was cancelled", "CANCELLED");
    }
    if (what.startsWith("/")) {
      while (!existsSync(what + "/go")) await sleep(5);
      return new TritonError("passed the gate", "INTERNAL");
    }
    if (what === "nap") {
      await sleep(1_000);
      return new TritonError("slept", "INTERNAL");
    }
    if (what !== "echo") return new TritonError("The model says " + what + ".", what);
    const { id, parameters, correlationId, flags } = request;
    const seen = JSON.stringify({ id, parameters, correlationId: String(correlationId), flags }, (_, value) =>
      typeof value === "bigint" ? String(value) + "n" : value);
    const data = request.optionalInput("DATA", "FP32");
    return new InferenceResponse(
      [new Tensor("SEEN", [seen], [1]), new Tensor("DATA_OUT", data?.data.slice() ?? new Float32Array(), [data?.elementCount ?? 0])],
      { parameters: { text: "yes", whole: 7, half: 0.5, sure: true, big: 9007199254740993n } });
  }
}`,
  },
};

/** Streams what a request says: numbers, "error", "for-ever". */
export const STREAMER: ModelSpec = {
  name: "streamer",
  config: `
backend: "typescript"
input [ { name: "WHAT", data_type: TYPE_STRING, dims: [ 1 ] } ]
output [ { name: "OUT", data_type: TYPE_INT32, dims: [ 1 ] } ]
model_transaction_policy { decoupled: true }`,
  files: {
    "1/model.ts": `
import { setTimeout as sleep } from "node:timers/promises";
import { InferenceResponse, Tensor, TritonError } from "triton-typescript";
const number = (value) => new InferenceResponse([new Tensor("OUT", Int32Array.of(value), [1])]);
export default class {
  async *stream(request) {
    const what = request.input("WHAT", "BYTES").strings()[0];
    try {
      for (const word of what.split(" ").filter(Boolean)) {
        if (word === "error") yield new TritonError("half way", "NOT_FOUND");
        else if (word === "for-ever") for (let i = 0; ; i++) { await sleep(1); yield number(i); }
        else yield number(Number(word));
      }
    } finally {
      console.info("stream of '" + what + "' is over, cancelled: " + request.isCancelled);
    }
  }
}`,
  },
};

/** The input that says what to do. */
export const what = (text: string) => new Tensor("WHAT", [text], [1]);

/** What the talker saw of a request. */
export const seenBy = (result: InferenceResult) => JSON.parse(result.output("SEEN", "BYTES").strings()[0]!);
