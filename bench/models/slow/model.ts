// SPDX-License-Identifier: Apache-2.0
// An identity that computes for 20 ms before it answers.

import { type InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";
import { portionsFor, work } from "./busy.ts";

const BUSY_MS = 20;

export default class Slow implements TritonModel {
  #portions = 0;

  initialize(): void {
    this.#portions = portionsFor(BUSY_MS);
  }

  execute(requests: InferenceRequest[]): InferenceResponse[] {
    return requests.map((request) => {
      work(this.#portions);
      const t = request.input("INPUT");
      return new InferenceResponse([new Tensor("OUTPUT", t.data, t.shape, t.datatype)]);
    });
  }
}
