// SPDX-License-Identifier: Apache-2.0
// IMAGE BYTES [1], an encoded picture -> PIXELS FP32 [3, 224, 224], the input of a network trained on ImageNet.

import { type InferenceRequest, InferenceResponse, type TritonModel } from "triton-typescript";
import { decode, normaliseMiddle, side } from "./picture.ts";

export default class Preprocess implements TritonModel {
  execute(requests: InferenceRequest[]): Promise<InferenceResponse[]> {
    return Promise.all(
      requests.map(async (request) => {
        const picture = await decode(request.input("IMAGE", "BYTES").bytes()[0]!);
        const output = request.allocateOutput("PIXELS", "FP32", [3, side, side]);
        normaliseMiddle(picture, output.data);
        return new InferenceResponse([output]);
      }),
    );
  }
}
