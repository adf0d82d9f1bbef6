// SPDX-License-Identifier: Apache-2.0
import { type InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";

/** The mean of all samples, from 0 to 1, at which each class is surest. */
const centres = [0, 0.4, 1];
/** The larger, the surer. */
const sharpness = 8;

function classify(request: InferenceRequest): InferenceResponse {
  const { data } = request.input("image", "UINT8");
  let sum = 0;
  for (const sample of data) sum += sample;
  const mean = sum / Math.max(1, data.length) / 255;
  const weights = centres.map((centre) => Math.exp(-sharpness * Math.abs(mean - centre)));
  const total = weights.reduce((a, b) => a + b, 0);
  return new InferenceResponse([
    new Tensor(
      "probability",
      Float32Array.from(weights, (weight) => weight / total),
      [1, centres.length],
    ),
  ]);
}

export default class Brightness implements TritonModel {
  execute(requests: InferenceRequest[]) {
    return requests.map(classify);
  }
}
