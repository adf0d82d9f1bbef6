// SPDX-License-Identifier: Apache-2.0
// A stream of as many responses as COUNT says, each with its number.

import { type InferenceRequest, InferenceResponse, type StreamingModel, Tensor } from "triton-typescript";

export default class Count implements StreamingModel {
  *stream(request: InferenceRequest): Generator<InferenceResponse> {
    const [count = 0] = request.input("COUNT", "INT32").data;
    for (let i = 0; i < count; i++) yield new InferenceResponse([new Tensor("OUTPUT", Int32Array.of(i), [1])]);
  }
}
