// SPDX-License-Identifier: Apache-2.0
// The plain way to write an identity: the output is made from the view on the input.

import { type InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";

export default class Identity implements TritonModel {
  execute(requests: InferenceRequest[]): InferenceResponse[] {
    return requests.map((request) => {
      const t = request.input("INPUT");
      return new InferenceResponse([new Tensor("OUTPUT", t.data, t.shape, t.datatype)]);
    });
  }
}
