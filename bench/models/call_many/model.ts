// SPDX-License-Identifier: Apache-2.0
// Many calls of another model, so many of them in flight all the time. PLAN: calls in flight, calls in all.
// RESULT: milliseconds, calls that failed or were answered wrongly.

import { InferenceRequest, InferenceResponse, type InitializeArgs, Tensor, type TritonModel } from "triton-typescript";

const ELEMENTS = 16;

export default class CallMany implements TritonModel {
  #step = "";

  initialize({ modelConfig }: InitializeArgs): void {
    this.#step = modelConfig.parameters!["STEP"]!.string_value;
  }

  execute(requests: InferenceRequest[]): Promise<InferenceResponse[]> {
    return Promise.all(requests.map((request) => this.#answer(request)));
  }

  async #answer(request: InferenceRequest): Promise<InferenceResponse> {
    const [inFlight = 0, total = 0] = request.input("PLAN", "FP32").data;
    const began = performance.now();
    let [made, failures] = [0, 0];
    const caller = async () => {
      while (made < total) if (!(await this.#call(made++))) failures++;
    };
    await Promise.all(Array.from({ length: inFlight }, caller));
    const result = Float32Array.of(performance.now() - began, failures);
    return new InferenceResponse([new Tensor("RESULT", result, [2])]);
  }

  async #call(number: number): Promise<boolean> {
    const input = new Tensor("INPUT", new Float32Array(ELEMENTS).fill(number), [ELEMENTS]);
    const call = new InferenceRequest({ modelName: this.#step, inputs: [input] });
    const answer = await call.exec({ throwOnError: false });
    return answer.error === undefined && answer.output("OUTPUT", "FP32").data.every((value) => value === number);
  }
}
