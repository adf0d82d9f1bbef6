// SPDX-License-Identifier: Apache-2.0
import { InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";

/** Adds up the responses of a model that streams, one request after the other. */
export default class BlsDecoupledSync implements TritonModel {
  async execute(requests: InferenceRequest[]) {
    const responses: InferenceResponse[] = [];
    for (const request of requests) {
      let sum = 0;
      const call = new InferenceRequest({ modelName: "square_int32", inputs: [request.input("IN")] });
      // An error of the other model ends the loop, and reaches the client with its code and text.
      for await (const part of call.stream()) sum += part.output("OUT", "INT32").data[0]!;
      responses.push(new InferenceResponse([new Tensor("SUM", Int32Array.of(sum), [1])]));
    }
    return responses;
  }
}
