// SPDX-License-Identifier: Apache-2.0
// Triton's HTTP protocol by hand, for what an official client would not send or show.
import { setTimeout as sleep } from "node:timers/promises";
import { fetchOnce, type TestServer } from "./server.ts";
import { deserialize, fromRawBytes, type NumericArray, rawBytes, serialize, type WireTensor } from "./tensors.ts";

export interface JsonReply {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into replies of many forms
  body: any;
}

/** An inference as JSON, in the words of the protocol. */
export interface InferBody {
  id?: string;
  parameters?: Record<string, unknown>;
  inputs: { name: string; datatype: string; shape: readonly number[]; data?: unknown; parameters?: object }[];
  outputs?: { name: string; parameters?: object }[];
}

const headerLength = "Inference-Header-Content-Length";

function inferUrl(server: TestServer, model: string, version?: number): string {
  return `${server.url}/v2/models/${model}${version === undefined ? "" : `/versions/${version}`}/infer`;
}

/** GET or POST of JSON. */
export async function requestJson(url: string, body?: unknown): Promise<JsonReply> {
  const response = await fetchOnce(url, body === undefined ? {} : { method: "POST", body: JSON.stringify(body) });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

/** Runs one inference with tensors as JSON. */
export function inferJson(server: TestServer, model: string, body: InferBody, version?: number): Promise<JsonReply> {
  return requestJson(inferUrl(server, model, version), body);
}

export interface BinaryReply {
  status: number;
  /** The JSON part. */
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into replies of many forms
  header: any;
  outputs: WireTensor[];
}

function bytesOf(input: WireTensor): Uint8Array {
  return input.datatype === "BYTES" ? serialize(input.data as Uint8Array[]) : rawBytes(input.data as NumericArray);
}

/** Runs one inference with Triton's binary tensor extension in both directions. */
export async function inferBinary(
  server: TestServer,
  model: string,
  inputs: readonly WireTensor[],
  parameters: Record<string, unknown> = {},
  outputs?: readonly string[],
): Promise<BinaryReply> {
  const parts = inputs.map(bytesOf);
  const header = Buffer.from(
    JSON.stringify({
      parameters: { binary_data_output: true, ...parameters },
      inputs: inputs.map(({ name, datatype, shape }, i) => ({
        name,
        datatype,
        shape,
        parameters: { binary_data_size: parts[i]!.byteLength },
      })),
      outputs: outputs?.map((name) => ({ name, parameters: { binary_data: true } })),
    }),
  );
  const response = await fetchOnce(inferUrl(server, model), {
    method: "POST",
    headers: { [headerLength]: String(header.length) },
    body: Buffer.concat([header, ...parts]),
  });
  return readBinary(response);
}

async function readBinary(response: Response): Promise<BinaryReply> {
  const whole = new Uint8Array(await response.arrayBuffer());
  const end = Number(response.headers.get(headerLength) ?? whole.length);
  const header = JSON.parse(new TextDecoder().decode(whole.subarray(0, end)));
  let at = end;
  const outputs: WireTensor[] = (header.outputs ?? []).map(
    (output: WireTensor & { parameters: { binary_data_size: number } }) => {
      const size = output.parameters.binary_data_size;
      const bytes = whole.subarray(at, at + size);
      at += size;
      const data = output.datatype === "BYTES" ? deserialize(bytes) : fromRawBytes(output.datatype, bytes);
      return { name: output.name, datatype: output.datatype, shape: output.shape, data };
    },
  );
  return { status: response.status, header, outputs };
}

const settleMs = 20;

/**
 * Loads or unloads a model. A load is given a moment to settle: Triton may die of an unload in the first instants of a
 * model, whatever its backend; docs/troubleshooting.md has the figures.
 */
export async function control(
  server: TestServer,
  action: "load" | "unload",
  model: string,
  body: object = {},
): Promise<JsonReply> {
  const reply = await requestJson(`${server.url}/v2/repository/models/${model}/${action}`, body);
  if (action === "load") await sleep(settleMs);
  return reply;
}

/** The statistics of a model, one entry per version. */
export async function statistics(server: TestServer, model: string): Promise<ModelStatistics[]> {
  return (await requestJson(`${server.url}/v2/models/${model}/stats`)).body.model_stats;
}

interface Duration {
  count: number;
  ns: number;
}

export interface ModelStatistics {
  name: string;
  version: string;
  inference_count: number;
  execution_count: number;
  inference_stats: Record<
    "success" | "fail" | "queue" | "compute_input" | "compute_infer" | "compute_output" | "cache_hit" | "cache_miss",
    Duration
  >;
  batch_stats: (Record<"compute_input" | "compute_infer" | "compute_output", Duration> & { batch_size: number })[];
}

/** The numbers of a metric by their labels, as in `{model="identity",version="1"}`. */
export async function metric(server: TestServer, name: string): Promise<Map<string, number>> {
  const text = await (await fetchOnce(server.metricsUrl)).text();
  const found = [...text.matchAll(new RegExp(`^${name}(\\{.*\\})? (\\S+)$`, "gm"))];
  return new Map(found.map((match) => [match[1] ?? "", Number(match[2])]));
}
