// SPDX-License-Identifier: Apache-2.0
// What a stream of one response gives, as the one answer of a model in default mode.

import { type InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";

export default class Ordinary implements TritonModel {
  execute(requests: InferenceRequest[]): InferenceResponse[] {
    return requests.map((request) => {
      const [count = 0] = request.input("COUNT", "INT32").data;
      return new InferenceResponse([new Tensor("OUTPUT", Int32Array.of(count - 1), [1])]);
    });
  }
}
