// SPDX-License-Identifier: Apache-2.0
// An identity that writes into an output allocated in shared memory, as a model that computes would.

import { type InferenceRequest, InferenceResponse, type TritonModel } from "triton-typescript";

export default class IdentityAllocate implements TritonModel {
  execute(requests: InferenceRequest[]): InferenceResponse[] {
    return requests.map((request) => {
      const input = request.input("INPUT", "FP32");
      const output = request.allocateOutput("OUTPUT", "FP32", input.shape);
      output.data.set(input.data);
      return new InferenceResponse([output]);
    });
  }
}
