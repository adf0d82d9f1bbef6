// SPDX-License-Identifier: Apache-2.0
// A response as it lies in shared memory (struct tsb_response).
import type { TritonErrorCode } from "../api/errors.ts";
import { defect } from "../api/errors.ts";
import type { Parameters } from "../api/parameters.ts";
import type { Tensor } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import { type Dtype, dtypeOfName } from "./dtype.ts";
import {
  type EncodedParameter,
  encodeParameters,
  parametersBytes,
  readParameters,
  writeParameters,
} from "./parameter_record.ts";
import { align, type Place, type Region, readText, requireInside } from "./record.ts";
import { type Content, contentOf, copyContent } from "./tensor_data.ts";
import {
  copyShape,
  nextTensor,
  readTensorDtype,
  readTensorName,
  readTensorPlace,
  readTensorShape,
  tensorHeadBytes,
  writeTensor,
} from "./tensor_record.ts";

/** What an error says to the client. */
export interface AnswerError {
  readonly code: TritonErrorCode;
  readonly message: string;
}

/** What one response says, checked against the model's configuration. */
export interface Answer {
  readonly error: AnswerError | undefined;
  /** Index of each output in the table of names; same order as `outputs`. */
  readonly outputIndices: readonly number[];
  readonly outputs: readonly Tensor[];
  readonly parameters: Parameters;
}

/** An output as it was when it was measured; whatever becomes of its tensor, this is written. */
interface MeasuredOutput {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Where its data lies already, or the data to be copied; undefined until it was asked for. */
  place: Place | Content | undefined;
}

/** A response whose size is known. */
export interface MeasuredResponse {
  readonly answer: Answer;
  readonly message: Buffer | undefined;
  readonly parameters: readonly EncodedParameter[];
  readonly outputs: readonly MeasuredOutput[];
  readonly recordBytes: number;
  /** Bytes of the copies, which follow the record. */
  readonly dataBytes: number;
}

const NO_PARAMETERS: readonly EncodedParameter[] = [];
const NO_OUTPUTS: readonly MeasuredOutput[] = [];

/** Cuts a message at the protocol's limit, on a whole character. */
function encodeMessage(message: string): Buffer {
  const text = Buffer.from(message);
  if (fittingBytes(text, L.MAX_MESSAGE_BYTES) === text.length) return text;
  const begin = text.subarray(0, fittingBytes(text, L.MAX_MESSAGE_BYTES - 16));
  return Buffer.from(`${begin.toString().replace(/\uFFFD+$/, "")} ...`);
}

/**
 * How many bytes of a text fit into a limit as gRPC sends them: each that is not printable ASCII, or is a percent sign, as three.
 * Clients end the connection, with all its calls, over a longer one.
 */
function fittingBytes(text: Buffer, limit: number): number {
  if (text.length * 3 <= limit) return text.length;
  let room = limit;
  for (let i = 0; i < text.length; i++) {
    const byte = text[i]!;
    room -= byte >= 0x20 && byte < 0x7f && byte !== 0x25 ? 1 : 3;
    if (room < 0) return i;
  }
  return text.length;
}

function shapeOf({ name, shape }: Tensor): readonly number[] {
  const copy = copyShape(shape);
  if (copy !== undefined) return copy;
  const now = Array.isArray(shape) ? [...shape].map(String) : [];
  throw defect(`The shape of output '${name}' was changed to [${now.join(", ")}], which is none.`);
}

/**
 * @param placeOf where an output lies already, or undefined where it must be copied. Asked last, as parameters and shapes may
 * run code of the model, and what it does may end the life of an output.
 */
export function measureResponse(answer: Answer, placeOf: (output: Tensor) => Place | undefined): MeasuredResponse {
  if (answer.error !== undefined) {
    const message = encodeMessage(answer.error.message);
    const recordBytes = align(L.RESPONSE_SIZE + message.length, L.DATA_ALIGNMENT);
    return { answer, message, parameters: NO_PARAMETERS, outputs: NO_OUTPUTS, recordBytes, dataBytes: 0 };
  }
  const parameters = encodeParameters("Response", answer.parameters);
  let recordBytes = L.RESPONSE_SIZE + parametersBytes(parameters);
  const outputs = new Array<MeasuredOutput>(answer.outputs.length);
  for (let i = 0; i < outputs.length; i++) {
    const output = answer.outputs[i]!;
    const shape = shapeOf(output);
    recordBytes += tensorHeadBytes(shape.length);
    outputs[i] = { dtype: dtypeOfName(output.datatype), shape, place: undefined };
  }
  let copied = 0;
  for (let i = 0; i < outputs.length; i++) {
    const output = answer.outputs[i]!;
    let place: Place | Content | undefined = placeOf(output);
    if (place === undefined) {
      place = contentOf(output);
      copied += align(place.bytes, L.DATA_ALIGNMENT);
    }
    outputs[i]!.place = place;
  }
  recordBytes = align(recordBytes, L.DATA_ALIGNMENT);
  return { answer, message: undefined, parameters, outputs, recordBytes, dataBytes: copied };
}

/**
 * Writes a record at `at`, and behind it the data that does not lie in shared memory yet.
 *
 * @throws TritonError INTERNAL when data has another size by now
 */
export function writeResponse(region: Region, at: number, response: MeasuredResponse): void {
  const { u32 } = region;
  const head = at / 4;
  const { answer, message, parameters } = response;
  const { error } = answer;
  const end = error === undefined ? writeOutputs(region, at, response) : at + L.RESPONSE_SIZE;
  u32[head + L.RESPONSE_RECORD_BYTES / 4] = response.recordBytes;
  u32[head + L.RESPONSE_STATUS / 4] = error === undefined ? 0 : L.STATUSES[error.code];
  u32[head + L.RESPONSE_MESSAGE_OFFSET / 4] = L.RESPONSE_SIZE;
  u32[head + L.RESPONSE_MESSAGE_BYTES / 4] = message?.length ?? 0;
  u32[head + L.RESPONSE_PARAMETERS_OFFSET / 4] = end - at;
  u32[head + L.RESPONSE_PARAMETER_COUNT / 4] = parameters.length;
  u32[head + L.RESPONSE_OUTPUT_COUNT / 4] = error === undefined ? response.outputs.length : 0;
  u32[head + L.RESPONSE_SIZE / 4 - 1] = 0;
  if (message !== undefined) region.u8.set(message, at + L.RESPONSE_SIZE);
  writeParameters(region, end, parameters);
}

/** Writes the outputs' heads and copies what is not in shared memory. Returns where the heads end. */
function writeOutputs(region: Region, record: number, response: MeasuredResponse): number {
  const { outputs, answer } = response;
  let at = record + L.RESPONSE_SIZE;
  let data = record + response.recordBytes;
  for (let i = 0; i < outputs.length; i++) {
    const { dtype, shape } = outputs[i]!;
    const place = outputs[i]!.place!;
    let written: Place;
    if ("region" in place) {
      written = place;
    } else {
      copyContent(region, data, place);
      written = { region: region.id, offset: data, bytes: place.bytes };
      data += align(place.bytes, L.DATA_ALIGNMENT);
    }
    at = writeTensor(region, at, answer.outputIndices[i]!, dtype, shape, written);
  }
  return at;
}

/** An output of a response that was received; its data lies in shared memory. */
export interface ReceivedOutput {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: number[];
  readonly place: Place;
}

/** A response that was received. */
export interface ReceivedResponse {
  readonly error: AnswerError | undefined;
  readonly outputs: readonly ReceivedOutput[];
  readonly parameters: Parameters;
}

const codeOfStatus = new Map<number, TritonErrorCode>(
  Object.entries(L.STATUSES).map(([code, status]) => [status, code as TritonErrorCode]),
);

/** Reads the record at `at`, which must end before `limit`. */
export function readResponse(
  region: Region,
  at: number,
  limit: number,
  outputNames: readonly string[],
): ReceivedResponse {
  requireInside(at, L.RESPONSE_SIZE, limit);
  const u32 = (field: number) => region.u32[(at + field) / 4]!;
  const end = at + u32(L.RESPONSE_RECORD_BYTES);
  requireInside(end, 0, limit);
  const status = u32(L.RESPONSE_STATUS);
  const message = readText(region, at + u32(L.RESPONSE_MESSAGE_OFFSET), u32(L.RESPONSE_MESSAGE_BYTES), end);
  const outputs: ReceivedOutput[] = [];
  let head = at + L.RESPONSE_SIZE;
  for (let i = 0; i < u32(L.RESPONSE_OUTPUT_COUNT); i++) {
    const next = nextTensor(region, head, end);
    outputs.push({
      name: readTensorName(region, head, at, end, outputNames),
      dtype: readTensorDtype(region, head),
      shape: readTensorShape(region, head, end),
      place: readTensorPlace(region, head),
    });
    head = next;
  }
  const start = at + u32(L.RESPONSE_PARAMETERS_OFFSET);
  return {
    error: status === 0 ? undefined : { code: codeOfStatus.get(status) ?? "UNKNOWN", message },
    outputs,
    parameters: readParameters(region, start, u32(L.RESPONSE_PARAMETER_COUNT), end),
  };
}
