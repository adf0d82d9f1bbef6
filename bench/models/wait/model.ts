// SPDX-License-Identifier: Apache-2.0
// A model that asks another service and does little itself: the answer of each request takes 10 ms to come.

import { setTimeout as sleep } from "node:timers/promises";
import { type InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";

const WAIT_MS = 10;

async function answer(request: InferenceRequest): Promise<InferenceResponse> {
  await sleep(WAIT_MS);
  const t = request.input("INPUT");
  return new InferenceResponse([new Tensor("OUTPUT", t.data, t.shape, t.datatype)]);
}

export default class Wait implements TritonModel {
  execute(requests: InferenceRequest[]): Promise<InferenceResponse[]> {
    return Promise.all(requests.map(answer));
  }
}
