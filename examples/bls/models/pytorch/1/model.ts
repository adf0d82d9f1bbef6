// SPDX-License-Identifier: Apache-2.0
import { type InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";

export default class AddSub implements TritonModel {
  execute(requests: InferenceRequest[]) {
    return requests.map((request) => {
      const a = request.input("INPUT0", "FP32");
      const b = request.input("INPUT1", "FP32");
      const sum = a.data.map((x, i) => x + b.data[i]!);
      const difference = a.data.map((x, i) => x - b.data[i]!);
      return new InferenceResponse([new Tensor("OUTPUT0", sum, a.shape), new Tensor("OUTPUT1", difference, a.shape)]);
    });
  }
}
