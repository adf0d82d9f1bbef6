// SPDX-License-Identifier: Apache-2.0
// A backend that answers wrongly may be fast: every answer is compared before anything is timed.

import type { HttpClient } from "../client/http/index.ts";
import { rawOutput } from "../client/output_tensor.ts";
import { SharedMemory } from "../client/shared_memory.ts";
import { type BinaryTensor, binaryTensor, inferBinary } from "../server/binary_infer.ts";

/** One way to send a request to a model and to get its outputs. */
export type Ask = (client: HttpClient, model: string, inputs: readonly BinaryTensor[]) => Promise<BinaryTensor[]>;

export function tensor(
  name: string,
  datatype: string,
  data: Uint8Array | Int32Array | Float32Array | BigInt64Array,
  shape: number[] = [data.length],
): BinaryTensor {
  return { name, datatype, shape, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/** Tensors inside the messages. */
export const ask: Ask = async (client, model, inputs) =>
  (await inferBinary(client, model, undefined, inputs)).outputs.map(binaryTensor);

/** An identity's one tensor in system shared memory that the client registers: input and output are halves of a region. */
export const askInSharedMemory: Ask = async (client, model, [input]) => {
  const { length } = input!.bytes;
  const memory = SharedMemory.create({ byteSize: 2 * length, name: `bench_${process.pid}` });
  try {
    await client.registerSystemSharedMemory(memory);
    const placed = memory.place(rawOutput(input!, input!.bytes));
    const requestedOutputs = [{ name: "OUTPUT", memory: memory.range(length, length) }];
    const { outputs } = await client.infer(model, [placed], { requestedOutputs });
    await client.unregisterSystemSharedMemory(memory);
    return outputs.map(binaryTensor).map((output) => ({ ...output, bytes: Uint8Array.from(output.bytes) }));
  } finally {
    memory.close();
  }
};

/** A decoupled model answers HTTP at one place only: /generate, with plain arrays instead of tensors. */
export const askToGenerate: Ask = async (client, model, [input]) => {
  const { OUTPUT } = await client.generate(model, { INPUT: [...(elements(input!) as Float32Array)] });
  return OUTPUT === undefined ? [] : [tensor("OUTPUT", "FP32", Float32Array.from([OUTPUT].flat() as number[]))];
};

/** How far numbers may differ; nothing at all where a limit is not given. */
export interface Tolerance {
  /** Largest difference of one element. */
  largest?: number;
  /** Mean of the differences. */
  mean?: number;
}

function elements({ name, datatype, bytes }: BinaryTensor): ArrayLike<number> {
  const { buffer } = Uint8Array.from(bytes); // a copy: elements want their alignment
  if (datatype === "FP32") return new Float32Array(buffer);
  if (datatype === "INT64") return Array.from(new BigInt64Array(buffer), Number);
  throw new Error(`The tensor ${name} is ${datatype}; only FP32 and INT64 are compared with a tolerance.`);
}

/** Says what of an output is not as expected, or nothing. Without a tolerance every bit counts; with one, numbers do. */
function difference(
  found: BinaryTensor | undefined,
  expected: BinaryTensor,
  tolerance?: Tolerance,
): string | undefined {
  const { name, datatype, shape } = expected;
  if (!found) return `${name} is missing`;
  if (found.datatype !== datatype || found.shape.join() !== shape.join()) {
    return `${name} is ${found.datatype} of [${found.shape}] instead of ${datatype} of [${shape}]`;
  }
  if (found.bytes.length !== expected.bytes.length) return `${name} has ${found.bytes.length} bytes`;
  if (!tolerance) return Buffer.compare(found.bytes, expected.bytes) === 0 ? undefined : `${name} has other values`;
  const { largest = 0, mean = largest } = tolerance;
  const [a, b] = [elements(found), elements(expected)];
  const apart = Array.from(a, (value, i) => Math.abs(value - b[i]!));
  if (apart.some(Number.isNaN)) return `${name} holds a value that is no number`;
  const most = apart.reduce((high, value) => Math.max(high, value), 0);
  const average = apart.reduce((sum, value) => sum + value, 0) / apart.length;
  if (most > largest) return `one element of ${name} differs by ${most}, which is more than ${largest}`;
  if (average > mean) return `${name} differs by ${average} in the mean, which is more than ${mean}`;
  return undefined;
}

/** What is not as expected in an answer, in words; nothing when all of it is. */
export function differences(
  answer: readonly BinaryTensor[],
  expected: readonly BinaryTensor[],
  tolerances: Readonly<Record<string, Tolerance>> = {},
): string[] {
  return expected.flatMap((tensor) => {
    const found = answer.find(({ name }) => name === tensor.name);
    return difference(found, tensor, tolerances[tensor.name]) ?? [];
  });
}

/** Throws unless `who` answered as expected. */
export function mustBe(who: string, ...compared: Parameters<typeof differences>): void {
  const found = differences(...compared);
  if (found.length > 0) {
    throw new Error(`${who} must answer as expected, but ${found.join("; ")}. Its timing would mean nothing.`);
  }
}
