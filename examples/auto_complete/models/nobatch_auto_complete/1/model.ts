// SPDX-License-Identifier: Apache-2.0
import {
  type AutoCompleteConfig,
  type InferenceRequest,
  InferenceResponse,
  Tensor,
  type TritonModel,
} from "triton-typescript";

/** Says of itself that its tensors have no batch dimension. */
export default class NobatchAutoComplete implements TritonModel {
  static autoCompleteConfig(auto: AutoCompleteConfig) {
    // What config.pbtxt says as well must agree: the same tensor is not added twice.
    for (const name of ["INPUT0", "INPUT1"]) auto.addInput({ name, data_type: "TYPE_FP32", dims: [4] });
    for (const name of ["OUTPUT0", "OUTPUT1"]) auto.addOutput({ name, data_type: "TYPE_FP32", dims: [4] });
    auto.setMaxBatchSize(0);
  }

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
