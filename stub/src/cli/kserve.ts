// SPDX-License-Identifier: Apache-2.0
// A small client for Triton's HTTP protocol (KServe v2 with Triton's binary tensor data).
import { CliError, messageOf } from "./error.ts";

export interface TensorMetadata {
  name: string;
  datatype: string;
  /** -1 stands for any size. */
  shape: number[];
}

export interface ModelMetadata {
  name: string;
  versions: string[];
  platform: string;
  inputs: TensorMetadata[];
  outputs: TensorMetadata[];
}

export interface ModelConfigSummary {
  name: string;
  backend: string;
  platform: string;
  max_batch_size: number;
}

export interface IndexEntry {
  name: string;
  version?: string;
  state?: string;
  reason?: string;
}

export interface ServerMetadata {
  name: string;
  version: string;
  extensions: string[];
}

/** A tensor as bytes in the order of Triton's binary extension. */
export interface BinaryTensor extends TensorMetadata {
  bytes: Uint8Array;
}

interface ResponseHeader {
  model_name: string;
  model_version: string;
  outputs: (TensorMetadata & { parameters?: { binary_data_size?: number } })[];
}

export interface InferResult {
  modelName: string;
  modelVersion: string;
  outputs: BinaryTensor[];
}

const headerLength = "Inference-Header-Content-Length";

function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

/** One server, by the base address of its HTTP endpoint. */
export class KServeClient {
  readonly url: string;

  /** @throws CliError when the address is not one of HTTP. */
  constructor(url: string) {
    const text = /^[a-z]+:\/\//i.test(url) ? url : `http://${url}`;
    if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
      throw new CliError(`--url needs an address such as http://127.0.0.1:8000, not ${JSON.stringify(url)}.`);
    }
    this.url = text.replace(/\/+$/, "");
  }

  async #request(path: string, init: RequestInit = {}): Promise<Response> {
    try {
      return await fetch(`${this.url}${path}`, init);
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      throw new CliError(
        `No Triton server answers at ${this.url} (${messageOf(cause) || "connection refused"}). Start one with "triton-ts serve", or name its HTTP address with --url.`,
      );
    }
  }

  async #json<T>(path: string, init: RequestInit = {}): Promise<T> {
    const response = await this.#request(path, init);
    const text = await response.text();
    if (!response.ok) throw new CliError(serverSentence(response.status, text));
    return JSON.parse(text) as T;
  }

  /** True when the HTTP endpoint answers; false on any failure. */
  async isLive(): Promise<boolean> {
    try {
      const response = await fetch(`${this.url}/v2/health/live`, { signal: AbortSignal.timeout(5000) });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  }

  serverMetadata(): Promise<ServerMetadata> {
    return this.#json("/v2");
  }

  /** Every model that the server has in its repositories, with the state of each version. */
  repositoryIndex(): Promise<IndexEntry[]> {
    return this.#json("/v2/repository/index", { method: "POST", body: "{}" });
  }

  modelMetadata(model: string, version?: string): Promise<ModelMetadata> {
    return this.#json(modelPath(model, version));
  }

  modelConfig(model: string, version?: string): Promise<ModelConfigSummary> {
    return this.#json(`${modelPath(model, version)}/config`);
  }

  /** Sends one request with binary tensors and gives all outputs as bytes. */
  async infer(model: string, version: string | undefined, inputs: readonly BinaryTensor[]): Promise<InferResult> {
    const header = new TextEncoder().encode(
      JSON.stringify({
        inputs: inputs.map(({ name, datatype, shape, bytes }) => ({
          name,
          datatype,
          shape,
          parameters: { binary_data_size: bytes.byteLength },
        })),
        parameters: { binary_data_output: true },
      }),
    );
    const response = await this.#request(`${modelPath(model, version)}/infer`, {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream", [headerLength]: String(header.byteLength) },
      body: concatenate([header, ...inputs.map((input) => input.bytes)]),
    });
    const body = new Uint8Array(await response.arrayBuffer());
    if (!response.ok) throw new CliError(serverSentence(response.status, new TextDecoder().decode(body)));
    return decodeResponse(body, Number(response.headers.get(headerLength) ?? body.byteLength));
  }
}

function modelPath(model: string, version?: string): string {
  const name = `/v2/models/${encodeURIComponent(model)}`;
  return version === undefined ? name : `${name}/versions/${encodeURIComponent(version)}`;
}

function serverSentence(status: number, text: string): string {
  let reason = text.trim();
  try {
    reason = (JSON.parse(text) as { error?: string }).error ?? reason;
  } catch {
    // Not JSON: a proxy answered, or an old server; its text is all there is.
  }
  return `The server answered with an error (HTTP ${status}): ${reason || "no reason given"}`;
}

/** Splits an answer into its JSON header and the binary tensors behind it. */
export function decodeResponse(body: Uint8Array, headerBytes: number): InferResult {
  const header = JSON.parse(new TextDecoder().decode(body.subarray(0, headerBytes))) as ResponseHeader;
  let at = headerBytes;
  const outputs = header.outputs.map((output) => {
    const size = output.parameters?.binary_data_size;
    if (size === undefined || at + size > body.byteLength) {
      throw new CliError(`The server's answer is incomplete: the data of output ${output.name} is missing.`);
    }
    const bytes = body.slice(at, at + size);
    at += size;
    return { name: output.name, datatype: output.datatype, shape: output.shape, bytes };
  });
  return { modelName: header.model_name, modelVersion: header.model_version, outputs };
}
