// SPDX-License-Identifier: Apache-2.0
// A backend that answers wrongly may be fast: every answer is compared before anything is timed.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import type { BinaryTensor, KServeClient } from "../server/kserve.ts";

/** One way to send a request to a model and to get its outputs. */
export type Ask = (client: KServeClient, model: string, inputs: readonly BinaryTensor[]) => Promise<BinaryTensor[]>;

export function tensor(
  name: string,
  datatype: string,
  data: Uint8Array | Int32Array | Float32Array | BigInt64Array,
  shape: number[] = [data.length],
): BinaryTensor {
  return { name, datatype, shape, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/** Tensors inside the messages. */
export const ask: Ask = async (client, model, inputs) => (await client.infer(model, undefined, inputs)).outputs;

/** An identity's one tensor in system shared memory that the client registers: input and output are halves of a region. */
export const askInSharedMemory: Ask = async (client, model, [input]) => {
  const { bytes, ...described } = input!;
  const name = `bench_${process.pid}`;
  const file = `/dev/shm/${name}`;
  const region = `/v2/systemsharedmemory/region/${name}`;
  const half = (offset: number) => ({
    shared_memory_region: name,
    shared_memory_offset: offset,
    shared_memory_byte_size: bytes.length,
  });
  writeFileSync(file, Buffer.concat([bytes, Buffer.alloc(bytes.length)]));
  try {
    await client.json(`${region}/register`, { key: `/${name}`, offset: 0, byte_size: 2 * bytes.length });
    await client.json(`/v2/models/${model}/infer`, {
      inputs: [{ ...described, parameters: half(0) }],
      outputs: [{ name: "OUTPUT", parameters: half(bytes.length) }],
    });
    await client.json(`${region}/unregister`, {});
    return [{ ...described, name: "OUTPUT", bytes: readFileSync(file).subarray(bytes.length) }];
  } finally {
    rmSync(file);
  }
};

/** A decoupled model answers HTTP at one place only: /generate, with plain arrays instead of tensors. */
export const askToGenerate: Ask = async (client, model, [input]) => {
  const reply = await client.json<{ OUTPUT?: number[] }>(`/v2/models/${model}/generate`, {
    INPUT: [...(elements(input!) as Float32Array)],
  });
  return reply.OUTPUT ? [tensor("OUTPUT", "FP32", Float32Array.from(reply.OUTPUT))] : [];
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
