// SPDX-License-Identifier: Apache-2.0
// The same check as answers.ts on the way that is measured: tensors in system shared memory that the client registers.

import { randomFillSync } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { type HttpServer, request } from "./http.ts";

async function post(server: HttpServer, url: string, body: object): Promise<void> {
  const reply = await request(server, url, { method: "POST", body: JSON.stringify(body) });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`POST ${url} was answered with status ${reply.status}: ${text}.`);
}

/** Throws unless `model` writes the bytes that it finds in the first half of a region, unchanged, into the second one. */
export async function checkSharedAnswers(server: HttpServer, model: string, bytes: number): Promise<void> {
  const name = `bench_${process.pid}`;
  const file = `/dev/shm/${name}`;
  const region = `/v2/systemsharedmemory/region/${name}`;
  const input = randomFillSync(Buffer.alloc(bytes));
  const half = (offset: number) => ({
    shared_memory_region: name,
    shared_memory_offset: offset,
    shared_memory_byte_size: bytes,
  });
  writeFileSync(file, Buffer.concat([input, Buffer.alloc(bytes)]));
  try {
    await post(server, `${region}/register`, { key: `/${name}`, offset: 0, byte_size: 2 * bytes });
    await post(server, `/v2/models/${model}/infer`, {
      inputs: [{ name: "INPUT", datatype: "FP32", shape: [bytes / 4], parameters: half(0) }],
      outputs: [{ name: "OUTPUT", parameters: half(bytes) }],
    });
    await post(server, `${region}/unregister`, {});
    if (readFileSync(file).equals(Buffer.concat([input, input]))) return;
  } finally {
    rmSync(file);
  }
  throw new Error(
    `The model ${model} must return ${bytes} bytes in shared memory unchanged, but returned others. Its timing would mean nothing.`,
  );
}
