// SPDX-License-Identifier: Apache-2.0
// Adds and subtracts two vectors. The benchmark counts REVISION up to see which edition of this file answers.

import { type InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";

const REVISION = 0;

export default class AddSub implements TritonModel {
  execute(requests: InferenceRequest[]): InferenceResponse[] {
    return requests.map((request) => {
      const a = request.input("INPUT0", "FP32");
      const b = request.input("INPUT1", "FP32");
      const sum = a.data.map((x, i) => x + b.data[i]! + REVISION);
      const difference = a.data.map((x, i) => x - b.data[i]!);
      return new InferenceResponse([new Tensor("OUTPUT0", sum, a.shape), new Tensor("OUTPUT1", difference, a.shape)]);
    });
  }
}
