// SPDX-License-Identifier: Apache-2.0
import { type InferenceRequest, InferenceResponse, type StreamingModel, Tensor } from "triton-typescript";

/** A generator is all that a stream needs: it is asked for the next response when there is room for one, and left when the client is. */
export default class Square implements StreamingModel {
  *stream(request: InferenceRequest) {
    const [number] = request.input("IN", "INT32").data;
    const response = new InferenceResponse([new Tensor("OUT", Int32Array.of(number!), [1])]);
    for (let i = 0; i < number!; i++) yield response;
  }
}
