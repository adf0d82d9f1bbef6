// SPDX-License-Identifier: Apache-2.0
// Strings that are decoded and encoded again.

import { type InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";

export default class Strings implements TritonModel {
  execute(requests: InferenceRequest[]): InferenceResponse[] {
    return requests.map((request) => {
      const input = request.input("INPUT");
      return new InferenceResponse([new Tensor("OUTPUT", input.strings(), input.shape)]);
    });
  }
}
