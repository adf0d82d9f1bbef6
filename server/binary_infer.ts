// SPDX-License-Identifier: Apache-2.0
// Requests of tensors that are bytes already, for those who compare, print and store bytes.
import type { HttpClient, InferenceResult } from "../client/http/index.ts";
import { rawBytes, rawOutput } from "../client/output_tensor.ts";

/** A tensor as bytes in the order of Triton's binary extension. */
export interface BinaryTensor {
  name: string;
  datatype: string;
  shape: number[];
  bytes: Uint8Array;
}

/** The same tensor, with its bytes. */
export function binaryTensor(tensor: InferenceResult["outputs"][number]): BinaryTensor {
  const { name, datatype, shape } = tensor;
  return { name, datatype, shape: [...shape], bytes: rawBytes(tensor) };
}

/**
 * Sends one request and gives what came back.
 *
 * @param version the newest that the server has when undefined
 * @throws ClientError; Error for a tensor whose bytes do not fit its datatype and shape
 */
export function inferBinary(
  client: HttpClient,
  model: string,
  version: string | undefined,
  inputs: readonly BinaryTensor[],
): Promise<InferenceResult> {
  const tensors = inputs.map((input) => rawOutput(input, input.bytes));
  return client.infer(model, tensors, { modelVersion: version });
}
