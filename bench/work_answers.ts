// SPDX-License-Identifier: Apache-2.0
// What the models of the work part answer over HTTP, and how far two answers may differ.

import type { HttpServer } from "./answers.ts";

/** A tensor as it goes over the wire. BYTES have a length of four bytes before each element. */
export interface WireTensor {
  name: string;
  datatype: "FP32" | "INT64" | "BYTES";
  shape: readonly number[];
  data: Uint8Array;
}

const HEADER_LENGTH = "Inference-Header-Content-Length";

interface ReplyHeader {
  outputs: {
    name: string;
    datatype: WireTensor["datatype"];
    shape: number[];
    parameters: { binary_data_size: number };
  }[];
}

/** One request, its tensors in binary form. Outputs come in the order in which they are named. */
export async function ask(
  server: HttpServer,
  model: string,
  inputs: readonly WireTensor[],
  outputs: readonly string[],
): Promise<WireTensor[]> {
  const header = Buffer.from(
    JSON.stringify({
      inputs: inputs.map(({ name, datatype, shape, data }) => ({
        name,
        datatype,
        shape,
        parameters: { binary_data_size: data.length },
      })),
      outputs: outputs.map((name) => ({ name, parameters: { binary_data: true } })),
    }),
  );
  const reply = await fetch(`${server.httpUrl}/v2/models/${model}/infer`, {
    method: "POST",
    headers: { [HEADER_LENGTH]: String(header.length) },
    body: Buffer.concat([header, ...inputs.map(({ data }) => data)]),
  });
  const body = Buffer.from(await reply.arrayBuffer());
  if (!reply.ok) throw new Error(`The model ${model} answered with status ${reply.status}: ${body.toString()}`);
  let at = Number(reply.headers.get(HEADER_LENGTH) ?? body.length);
  const found = new Map<string, WireTensor>();
  for (const { name, datatype, shape, parameters } of (JSON.parse(body.toString("utf8", 0, at)) as ReplyHeader)
    .outputs) {
    // A copy, so that the elements are aligned.
    found.set(name, {
      name,
      datatype,
      shape,
      data: Uint8Array.from(body.subarray(at, at + parameters.binary_data_size)),
    });
    at += parameters.binary_data_size;
  }
  return outputs.map((name) => {
    const tensor = found.get(name);
    if (!tensor) throw new Error(`The model ${model} must answer ${name}, but answered ${[...found.keys()]}.`);
    return tensor;
  });
}

/** How far two answers may differ; nothing at all where a limit is not given. */
export interface Tolerance {
  /** Largest difference of one element. */
  largest?: number;
  /** Mean of the differences. */
  mean?: number;
}

/** Says what is different beyond the tolerance, or nothing. */
export function difference(
  ours: WireTensor,
  theirs: WireTensor,
  { largest = 0, mean = largest }: Tolerance,
): string | undefined {
  if (ours.datatype !== theirs.datatype || ours.shape.join() !== theirs.shape.join()) {
    return `${ours.name} is ${ours.datatype} [${ours.shape}] in one and ${theirs.datatype} [${theirs.shape}] in the other`;
  }
  const [a, b] = [elements(ours), elements(theirs)];
  let most = 0;
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const apart = Math.abs(a[i]! - b[i]!);
    if (Number.isNaN(apart)) return `${ours.name} holds a value that is no number at element ${i}`;
    most = Math.max(most, apart);
    sum += apart;
  }
  if (most > largest) return `one element of ${ours.name} differs by ${most}, which is more than ${largest}`;
  if (sum > mean * a.length) return `${ours.name} differs by ${sum / a.length} in the mean, which is more than ${mean}`;
  return undefined;
}

function elements({ name, datatype, data }: WireTensor): ArrayLike<number> {
  if (datatype === "FP32") return new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4);
  if (datatype === "INT64")
    return Array.from(new BigInt64Array(data.buffer, data.byteOffset, data.byteLength / 8), Number);
  throw new Error(`The output ${name} is ${datatype}; only FP32 and INT64 are compared.`);
}
