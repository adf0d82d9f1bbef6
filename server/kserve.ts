// SPDX-License-Identifier: Apache-2.0
// A small client for Triton's HTTP protocol (KServe v2 with Triton's binary tensor data).
import http from "node:http";
import https from "node:https";
import { codeOf, messageOf, ServerError } from "./error.ts";

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

export type Parameters = Record<string, string | number | boolean>;

interface ResponseHeader {
  id?: string;
  model_name: string;
  model_version: string;
  parameters?: Parameters;
  outputs: (TensorMetadata & { parameters?: { binary_data_size?: number } })[];
}

export interface InferResult {
  modelName: string;
  modelVersion: string;
  /** Only when the server sent one. */
  id?: string;
  /** Those of the whole response; only when the server sent some. */
  parameters?: Parameters;
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

interface Question {
  method?: "GET" | "POST";
  headers?: http.OutgoingHttpHeaders;
  body?: string | Uint8Array;
  signal?: AbortSignal;
}

interface Answer {
  ok: boolean;
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

/** One question on a connection of its own: a connection that stays open makes the server wait for it when it stops. */
function ask(base: string, place: string, { method = "GET", headers, body, signal }: Question): Promise<Answer> {
  const url = new URL(base);
  const { request } = url.protocol === "https:" ? https : http;
  const length = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
  // Apart from the URL, which would write the names of models in it in another way.
  const path = `${url.pathname.replace(/\/$/, "")}${place}`;
  const own = { ...headers, ...length, Connection: "close" };
  const options = { method, agent: false as const, signal, path, headers: own };
  return new Promise((resolve, reject) => {
    const sent = request(url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const status = response.statusCode ?? 0;
        const ok = status >= 200 && status < 300;
        resolve({ ok, status, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Something listens, but what it says is not HTTP/1.1. */
function speaksAnotherProtocol(error: unknown): boolean {
  const code = codeOf(error) ?? "";
  return code.startsWith("HPE_") || code === "ECONNRESET";
}

/** The base address of an HTTP endpoint, also when only host and port were named; undefined for one that is none. */
export function httpAddress(text: string): string | undefined {
  const url = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) return undefined;
  return url.replace(/\/+$/, "");
}

/** One server, by the base address of its HTTP endpoint. */
export class KServeClient {
  readonly url: string;

  /** @throws ServerError when the address is not one of HTTP. */
  constructor(url: string) {
    const address = httpAddress(url);
    if (address === undefined) {
      throw new ServerError(
        "ARGUMENT",
        `A Triton server has an address such as http://127.0.0.1:8000, not ${JSON.stringify(url)}.`,
      );
    }
    this.url = address;
  }

  async #request(path: string, question: Question = {}): Promise<Answer> {
    try {
      return await ask(this.url, path, question);
    } catch (error) {
      const why = messageOf(error) || "connection refused";
      const grpc = speaksAnotherProtocol(error) ? " Is this the gRPC port? HTTP is on 8000 unless it was moved." : "";
      throw new ServerError("UNREACHABLE", `No Triton server answers at ${this.url} (${why}).${grpc}`);
    }
  }

  /** The JSON that the server answers at a place of its own; a POST where there is a body. Undefined for an empty one. */
  async json<T>(path: string, body?: object): Promise<T> {
    const question: Question = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const answer = await this.#request(path, question);
    const text = answer.body.toString();
    if (!answer.ok) throw new ServerError("ANSWER", serverSentence(answer.status, text));
    try {
      return (text === "" ? undefined : JSON.parse(text)) as T;
    } catch {
      throw this.#stranger();
    }
  }

  #stranger(): ServerError {
    return new ServerError(
      "ANSWER",
      `What answers at ${this.url} is not the HTTP endpoint of a Triton server. Is this the port of its metrics?`,
    );
  }

  /** True when the HTTP endpoint answers, be it that this question is restricted; false on any failure. */
  async isLive(): Promise<boolean> {
    try {
      const { ok, status } = await ask(this.url, "/v2/health/live", { signal: AbortSignal.timeout(5000) });
      return ok || status === 401 || status === 403;
    } catch {
      return false;
    }
  }

  serverMetadata(): Promise<ServerMetadata> {
    return this.json("/v2");
  }

  /** Every model that the server has in its repositories, with the state of each version. */
  repositoryIndex(): Promise<IndexEntry[]> {
    return this.json("/v2/repository/index", {});
  }

  async modelMetadata(model: string, version?: string): Promise<ModelMetadata> {
    const metadata = await this.json<Partial<ModelMetadata> | undefined>(modelPath(model, version));
    if (!Array.isArray(metadata?.inputs)) throw this.#stranger(); // an endpoint of metrics answers everything with nothing
    return metadata as ModelMetadata;
  }

  modelConfig(model: string, version?: string): Promise<ModelConfigSummary> {
    return this.json(`${modelPath(model, version)}/config`);
  }

  /** Whether a model, or one version of it, takes requests. */
  async isModelReady(model: string, version?: string): Promise<boolean> {
    return (await this.#request(`${modelPath(model, version)}/ready`)).ok;
  }

  /** Loads a model, or loads it anew; returns when it is ready. */
  async loadModel(model: string): Promise<void> {
    await this.json(`/v2/repository/models/${nameInPath(model)}/load`, {});
  }

  /** Asks for a model to be unloaded; it is gone when it is no longer ready. */
  async unloadModel(model: string): Promise<void> {
    await this.json(`/v2/repository/models/${nameInPath(model)}/unload`, {});
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
    const { ok, status, body, headers } = response;
    if (!ok) throw new ServerError("ANSWER", serverSentence(status, body.toString()));
    return decodeResponse(body, Number(headers[headerLength.toLowerCase()] ?? body.byteLength));
  }
}

/**
 * Whether an HTTP address can name this model. Triton takes the name as it stands there and decodes nothing, so that one
 * with a blank, a slash or a question mark cannot be written; gRPC takes every name.
 */
export const canBeAddressed = (model: string): boolean => /^[^\s/?\p{Cc}]+$/u.test(model);

/** Node writes each of these characters as one byte. */
function nameInPath(model: string): string {
  return canBeAddressed(model) ? Buffer.from(model, "utf8").toString("latin1") : encodeURIComponent(model);
}

function modelPath(model: string, version?: string): string {
  const name = `/v2/models/${nameInPath(model)}`;
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
      throw new ServerError(
        "ANSWER",
        `The server's answer is incomplete: the data of output ${output.name} is missing.`,
      );
    }
    const bytes = new Uint8Array(body.subarray(at, at + size)); // a copy: elements want their alignment
    at += size;
    return { name: output.name, datatype: output.datatype, shape: output.shape, bytes };
  });
  const { id, parameters } = header;
  return {
    modelName: header.model_name,
    modelVersion: header.model_version,
    ...(id === undefined ? {} : { id }),
    ...(parameters === undefined ? {} : { parameters }),
    outputs,
  };
}
