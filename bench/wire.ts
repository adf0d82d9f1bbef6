// SPDX-License-Identifier: Apache-2.0
// A request over HTTP with its tensors in binary form, and its answer.

import { type HttpServer, request } from "./http.ts";

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
  const reply = await request(server, `/v2/models/${model}/infer`, {
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
      data: new Uint8Array(body.subarray(at, at + parameters.binary_data_size)),
    });
    at += parameters.binary_data_size;
  }
  return outputs.map((name) => {
    const tensor = found.get(name);
    if (!tensor) throw new Error(`The model ${model} must answer ${name}, but answered ${[...found.keys()]}.`);
    return tensor;
  });
}
