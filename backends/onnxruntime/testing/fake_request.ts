// SPDX-License-Identifier: Apache-2.0
// A fake request: what the backend asks of a real one, without a server.

import { type InferenceRequest, Tensor, TritonError } from "triton-typescript";

/** A request that holds the given tensors; without `requestedOutputs` the client asked for none by name. */
export function fakeRequest(inputs: readonly Tensor[], requestedOutputs: readonly string[] = []): InferenceRequest {
  const fake = {
    inputs,
    requestedOutputs,
    input(name: string, datatype?: string): Tensor {
      const found = inputs.find((tensor) => tensor.name === name);
      if (found === undefined) throw new TritonError(`no input ${name}`, "INVALID_ARG");
      if (datatype !== undefined && found.datatype !== datatype) {
        throw new TritonError(`input ${name} has ${found.datatype}, not ${datatype}`, "INVALID_ARG");
      }
      return found;
    },
    allocateOutput(name: string, datatype: "FP32", shape: readonly number[]): Tensor {
      const length = shape.reduce((product, side) => product * side, 1);
      const arrays = { FP32: Float32Array, FP16: Uint16Array, UINT8: Uint8Array, BOOL: Uint8Array } as const;
      const found = (arrays as unknown as Record<string, Float32ArrayConstructor>)[datatype] ?? intArray(datatype);
      // As in shared memory: at an offset, so that what is written must land in the view and not at the start of its
      // buffer, and full of what an earlier request left there.
      const old = new Uint8Array(64 + length * found.BYTES_PER_ELEMENT).fill(0x5a);
      const data = new found(old.buffer, 64, length);
      return new Tensor(name, data, shape, datatype);
    },
  };
  return fake as unknown as InferenceRequest;
}

function intArray(datatype: string): Float32ArrayConstructor {
  const name = { FP64: "Float64Array", INT64: "BigInt64Array", UINT64: "BigUint64Array" }[datatype];
  const derived = name ?? `${datatype.startsWith("U") ? "Uint" : "Int"}${/\d+/.exec(datatype)?.[0]}Array`;
  return (globalThis as unknown as Record<string, Float32ArrayConstructor>)[derived]!;
}
