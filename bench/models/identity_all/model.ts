// SPDX-License-Identifier: Apache-2.0
// An identity of any number of tensors: INPUT<x> is answered as OUTPUT<x>.

import { type InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";

export default class IdentityAll implements TritonModel {
  execute(requests: InferenceRequest[]): InferenceResponse[] {
    return requests.map(
      (request) =>
        new InferenceResponse(
          request.inputs.map((t) => new Tensor(t.name.replace("INPUT", "OUTPUT"), t.data, t.shape, t.datatype)),
        ),
    );
  }
}
