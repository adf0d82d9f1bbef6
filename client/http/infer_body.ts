// SPDX-License-Identifier: Apache-2.0
// Requests to models and their answers over HTTP: JSON, and behind it the bytes of tensors (Triton's binary extension).
import type { Parameters } from "../../stub/src/api/parameters.ts";
import type { Tensor } from "../../stub/src/api/tensor.ts";
import { type CallSubject, described, notRead, unreadable } from "../client_error.ts";
import type { CheckedInfer, RequestedOutput } from "../infer_options.ts";
import { InferenceResult } from "../inference_result.ts";
import { rangeOf, type SharedMemoryRange } from "../memory_place.ts";
import { listedOutput, type OutputHead, placedOutput, rawBytes, rawOutput } from "../output_tensor.ts";
import type { Answer, Question } from "./endpoint.ts";
import { parsed } from "./endpoint.ts";

const HEADER_LENGTH = "Inference-Header-Content-Length";

/** An object of JSON, of texts that are JSON already. What is undefined is left out. */
function object(members: Readonly<Record<string, string | undefined>>): string {
  const texts = Object.entries(members).flatMap(([key, text]) =>
    text === undefined ? [] : [`${JSON.stringify(key)}:${text}`],
  );
  return `{${texts.join(",")}}`;
}

/** Named values; a bigint is written as the number that it is, which JSON.stringify cannot. */
export function parametersJson(parameters: Parameters): string | undefined {
  const entries = Object.entries(parameters);
  if (entries.length === 0) return undefined;
  const texts = entries.map(([key, value]) => [key, typeof value === "bigint" ? String(value) : JSON.stringify(value)]);
  return object(Object.fromEntries(texts) as Record<string, string>);
}

function placeParameters({ region, offset, byteLength }: SharedMemoryRange): Parameters {
  return {
    shared_memory_region: region.name,
    shared_memory_byte_size: byteLength,
    ...(offset === 0 ? {} : { shared_memory_offset: offset }),
  };
}

/** The elements in row-major order. Not for FP16 and BF16, which JSON has no form for. */
function elementsJson(tensor: Tensor): string {
  if (tensor.datatype === "BYTES") return JSON.stringify(tensor.strings());
  if (tensor.datatype === "BOOL") return JSON.stringify(Array.from(tensor.data as Uint8Array, (byte) => byte !== 0));
  const texts: string[] = [];
  for (const element of tensor.data) {
    if (typeof element === "number" && !Number.isFinite(element)) {
      throw new Error(
        `input '${tensor.name}' holds ${element}, which JSON cannot carry: leave the option 'binary' out.`,
      );
    }
    texts.push(String(element));
  }
  return `[${texts.join(",")}]`;
}

function outputJson({ name, memory, classification }: RequestedOutput, isBinary: boolean): string {
  const parameters: Parameters = {
    ...(memory === undefined ? { binary_data: isBinary } : placeParameters(memory)),
    ...(classification === undefined ? {} : { classification }),
  };
  return object({ name: JSON.stringify(name), parameters: parametersJson(parameters) });
}

/**
 * A request as it is sent.
 *
 * @param isRegistered whether the server has such memory, so that tensors in it need not be sent
 * @param isBinary whether tensors are sent and wanted as bytes, not as JSON
 * @throws Error when a tensor cannot be sent as JSON
 */
export function inferBody(
  request: CheckedInfer,
  isRegistered: (range: SharedMemoryRange) => boolean,
  isBinary: boolean,
): Question {
  const behind: Uint8Array[] = [];
  const inputs = request.inputs.map((tensor) => {
    const { name, datatype, shape } = tensor;
    const head = { name: JSON.stringify(name), datatype: JSON.stringify(datatype), shape: JSON.stringify(shape) };
    const range = rangeOf(tensor);
    if (range !== undefined && isRegistered(range)) {
      return object({ ...head, parameters: parametersJson(placeParameters(range)) });
    }
    if (!isBinary && datatype !== "FP16" && datatype !== "BF16") return object({ ...head, data: elementsJson(tensor) });
    const bytes = rawBytes(tensor);
    behind.push(bytes);
    return object({ ...head, parameters: parametersJson({ binary_data_size: bytes.byteLength }) });
  });
  const { id, outputs } = request;
  const wishes: Parameters = outputs.length === 0 ? { binary_data_output: isBinary } : {};
  const json = object({
    id: id === "" ? undefined : JSON.stringify(id),
    parameters: parametersJson({ ...request.parameters, ...wishes }),
    inputs: `[${inputs.join(",")}]`,
    outputs: outputs.length === 0 ? undefined : `[${outputs.map((output) => outputJson(output, isBinary)).join(",")}]`,
  });
  if (behind.length === 0) return { body: json, headers: { "Content-Type": "application/json" } };
  const header = new TextEncoder().encode(json);
  return {
    body: concatenated([header, ...behind]),
    headers: { "Content-Type": "application/octet-stream", [HEADER_LENGTH]: String(header.byteLength) },
  };
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

interface OutputJson extends OutputHead {
  parameters?: { binary_data_size?: number };
  data?: unknown;
}

interface ResponseJson {
  model_name: string;
  model_version?: string;
  id?: string;
  parameters?: Parameters;
  outputs?: OutputJson[];
}

/** What a server answered to a request. @throws ClientError when it cannot be read */
export function inferResult({ headers, bytes }: Answer, request: CheckedInfer, subject: CallSubject): InferenceResult {
  const headerBytes = Number(headers.get(HEADER_LENGTH) ?? bytes.byteLength);
  const text = new TextDecoder().decode(bytes.subarray(0, headerBytes));
  const response = parsed<ResponseJson | undefined>(subject, text);
  if (typeof response?.model_name !== "string") throw unreadable(subject, "it is not the answer of a model.");
  const ranges = new Map(request.outputs.map(({ name, memory }) => [name, memory]));
  const { model_name: modelName, model_version: modelVersion = "", id = "", parameters = {} } = response;
  try {
    const reader = new OutputReader(bytes, headerBytes);
    const listed: unknown = response.outputs ?? [];
    if (!Array.isArray(listed)) throw new Error(`its outputs should be an array, but are ${described(listed)}`);
    const outputs = listed.map((output: OutputJson | null, at) => {
      if (typeof output?.name === "string") return reader.read(output, ranges.get(output.name));
      throw new Error(`output ${at} should be an object with a name, but is ${described(output)}`);
    });
    return new InferenceResult({ modelName, modelVersion, id, parameters, outputs });
  } catch (error) {
    throw notRead(subject, error as Error);
  }
}

/**
 * The elements of an output that came in nested rows, as the protocol allows; Triton sends them in one.
 *
 * @throws Error when the rows are not those of the shape, as the end of a sentence
 */
function rowMajor({ name, shape }: OutputHead, data: readonly unknown[]): readonly unknown[] {
  if (!Array.isArray(data[0]) || !Array.isArray(shape)) return data;
  let rows: readonly unknown[] = [data];
  for (const length of shape) {
    const elements: unknown[] = [];
    for (const row of rows) {
      if (!Array.isArray(row) || row.length !== length) {
        const came = Array.isArray(row) ? `has a row of ${row.length}` : `is ${described(row)}`;
        throw new Error(
          `output '${name}' has the shape [${shape.join(", ")}], but its data ${came} where ${length} belong`,
        );
      }
      for (const element of row) elements.push(element);
    }
    rows = elements;
  }
  return rows;
}

/** Takes outputs from an answer, one after the other: the bytes of each lie behind those of the one before. */
class OutputReader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  read(output: OutputJson, range: SharedMemoryRange | undefined): Tensor {
    const { name, datatype, shape, data, parameters } = output;
    const head: OutputHead = { name, datatype, shape };
    const size = parameters?.binary_data_size;
    if (size !== undefined) return rawOutput(head, this.#take(name, size));
    if (Array.isArray(data)) return listedOutput(head, rowMajor(head, data));
    if (range !== undefined) return placedOutput(head, range);
    throw new Error(`the data of output '${name}' is missing`);
  }

  #take(name: string, size: number): Uint8Array {
    const end = this.#at + size;
    if (!Number.isSafeInteger(size) || size < 0 || end > this.#bytes.byteLength) {
      throw new Error(`it is incomplete: the data of output '${name}' is missing`);
    }
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
