// SPDX-License-Identifier: Apache-2.0
// Encoded picture to the input of an image classification network.

import { type InferenceRequest, InferenceResponse, TritonError, type TritonModel } from "triton-typescript";
import { decodeMiddle, normalise, side } from "./picture.ts";

/** IMAGE UINT8 [bytes], a JPEG, PNG or WebP file -> PIXELS FP32 [3, 224, 224]. */
export default class ImagePreprocess implements TritonModel {
  execute(requests: InferenceRequest[]): Promise<(InferenceResponse | TritonError)[]> {
    return Promise.all(requests.map(prepare));
  }
}

async function prepare(request: InferenceRequest): Promise<InferenceResponse | TritonError> {
  try {
    const pixels = await decodeMiddle(request.input("IMAGE", "UINT8").data);
    // Written in place: the array lies in memory that the server reads.
    const output = request.allocateOutput("PIXELS", "FP32", [3, side, side]);
    normalise(pixels, output.data);
    return new InferenceResponse([output]);
  } catch (error) {
    if (error instanceof TritonError) return error;
    return new TritonError(error instanceof Error ? error.message : String(error), "INVALID_ARG");
  }
}
