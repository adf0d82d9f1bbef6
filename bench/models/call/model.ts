// SPDX-License-Identifier: Apache-2.0
// One call of another model, named by the parameter STEP, whose answer is the model's own.

import { InferenceRequest, InferenceResponse, type InitializeArgs, type TritonModel } from "triton-typescript";

export default class Call implements TritonModel {
  #step = "";

  initialize({ modelConfig }: InitializeArgs): void {
    this.#step = modelConfig.parameters!["STEP"]!.string_value;
  }

  execute(requests: InferenceRequest[]): Promise<InferenceResponse[]> {
    return Promise.all(requests.map((request) => this.#answer(request)));
  }

  async #answer(request: InferenceRequest): Promise<InferenceResponse> {
    const call = new InferenceRequest({ modelName: this.#step, inputs: [request.input("INPUT")] });
    const answer = await call.exec();
    return new InferenceResponse([answer.output("OUTPUT")]);
  }
}
