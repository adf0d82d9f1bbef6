// SPDX-License-Identifier: Apache-2.0
import { InferenceRequest, InferenceResponse, type TritonModel } from "triton-typescript";

/** Asks two models at once, and gives the sum of the one and the difference of the other. */
export default class BlsAsync implements TritonModel {
  execute(requests: InferenceRequest[]) {
    return Promise.all(requests.map((request) => this.#answer(request)));
  }

  async #answer(request: InferenceRequest) {
    const inputs = [request.input("INPUT0"), request.input("INPUT1")];
    const requestedOutputs = ["OUTPUT0", "OUTPUT1"];
    const [first, second] = await Promise.all([
      new InferenceRequest({ modelName: "pytorch", requestedOutputs, inputs }).exec(),
      new InferenceRequest({ modelName: "add_sub", requestedOutputs, inputs }).exec(),
    ]);
    return new InferenceResponse([first.output("OUTPUT0"), second.output("OUTPUT1")]);
  }
}
