// SPDX-License-Identifier: Apache-2.0
// Answers a picture with its first byte: nothing but the way there counts.

import { type InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";

export default class Picture implements TritonModel {
  execute(requests: InferenceRequest[]): InferenceResponse[] {
    return requests.map((request) => {
      const { data } = request.input("image", "UINT8");
      return new InferenceResponse([new Tensor("first", Uint8Array.of(data[0] ?? 0), [1])]);
    });
  }
}
