// SPDX-License-Identifier: Apache-2.0
// Says whether it is ready, otherwise each time it is asked.
import { type InferenceRequest, models, type TritonModel } from "triton-typescript";

const answers: (() => unknown)[] = [
  () => true,
  () => false,
  () => new Promise((resolve) => setTimeout(resolve, 10, true)),
  async () => false,
  () => {
    throw new Error("no database");
  },
  () => "yes",
  () => true,
  () => models.isReady("fake_model"),
];

export default class Ready implements TritonModel {
  #asked = 0;

  isReady(): boolean {
    return answers[this.#asked++]!() as boolean;
  }

  execute(_requests: InferenceRequest[]) {
    return [];
  }
}
