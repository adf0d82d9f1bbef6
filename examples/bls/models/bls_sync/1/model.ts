// SPDX-License-Identifier: Apache-2.0
import { InferenceRequest, InferenceResponse, type TritonModel } from "triton-typescript";

/** Passes its inputs on to the model that the client names, and that model's outputs back. */
export default class BlsSync implements TritonModel {
  async execute(requests: InferenceRequest[]) {
    const responses: InferenceResponse[] = [];
    for (const request of requests) {
      const answer = await new InferenceRequest({
        modelName: request.input("MODEL_NAME", "BYTES").strings()[0]!,
        requestedOutputs: ["OUTPUT0", "OUTPUT1"],
        inputs: [request.input("INPUT0"), request.input("INPUT1")],
      }).exec();
      responses.push(new InferenceResponse(answer.outputs));
    }
    return responses;
  }
}
