// SPDX-License-Identifier: Apache-2.0
import { InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";

/** Adds up two streams that run at the same time. */
export default class BlsDecoupledAsync implements TritonModel {
  execute(requests: InferenceRequest[]) {
    return Promise.all(
      requests.map(async (request) => {
        const input = request.input("IN");
        const [first, second] = await Promise.all([sumOf(input), sumOf(input)]);
        return new InferenceResponse([new Tensor("SUM", Int32Array.of(first + second), [1])]);
      }),
    );
  }
}

async function sumOf(input: Tensor): Promise<number> {
  let sum = 0;
  for await (const part of new InferenceRequest({ modelName: "square_int32", inputs: [input] }).stream()) {
    sum += part.output("OUT", "INT32").data[0]!;
  }
  return sum;
}
