// SPDX-License-Identifier: Apache-2.0
// Calls another model for each request, in the turn in which its batch comes.
import { InferenceRequest, InferenceResponse, type TritonModel } from "triton-typescript";

export default class Calling implements TritonModel {
  async execute(requests: InferenceRequest[]): Promise<InferenceResponse[]> {
    const calls = requests.map(() => new InferenceRequest({ modelName: "echo", inputs: [] }).exec());
    await Promise.all(calls);
    return requests.map(() => new InferenceResponse([]));
  }
}
