// SPDX-License-Identifier: Apache-2.0
// Requests to models and their answers, as messages.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  InferParameter,
  InferParameterSchema,
  InferTensorContents,
  ModelInferRequestSchema,
  ModelInferResponse,
  ModelInferResponse_InferOutputTensor,
} from "../../proto/gen/inference/grpc_service_pb.ts";
import type { Parameters, ParameterValue } from "../../stub/src/api/parameters.ts";
import type { Tensor } from "../../stub/src/api/tensor.ts";
import { type CallSubject, notRead } from "../client_error.ts";
import type { CheckedInfer, RequestedOutput } from "../infer_options.ts";
import { InferenceResult } from "../inference_result.ts";
import { rangeOf, type SharedMemoryRange } from "../memory_place.ts";
import { listedOutput, type OutputHead, placedOutput, rawBytes, rawOutput } from "../output_tensor.ts";
import { boolParameter, stringParameter } from "./parameter_message.ts";

type ParameterInit = MessageInitShape<typeof InferParameterSchema>;
type ParameterMap = Record<string, ParameterInit>;

/** A parameter in the kind that servers expect of its value: whole numbers are signed where they fit. */
function parameterInit(value: ParameterValue): ParameterInit {
  switch (typeof value) {
    case "boolean":
      return boolParameter(value);
    case "string":
      return stringParameter(value);
    case "number":
      return Number.isInteger(value)
        ? { parameterChoice: { case: "int64Param", value: BigInt(value) } }
        : { parameterChoice: { case: "doubleParam", value } };
    default:
      return BigInt.asIntN(64, value) === value
        ? { parameterChoice: { case: "int64Param", value } }
        : { parameterChoice: { case: "uint64Param", value } };
  }
}

function parameterMap(parameters: Parameters): ParameterMap {
  const entries = Object.entries(parameters).map(([key, value]) => [key, parameterInit(value)] as const);
  return Object.fromEntries(entries);
}

function placeParameters({ region, offset, byteLength }: SharedMemoryRange): ParameterMap {
  return parameterMap({
    shared_memory_region: region.name,
    shared_memory_byte_size: byteLength,
    ...(offset === 0 ? {} : { shared_memory_offset: offset }),
  });
}

function outputParameters({ memory, classification }: RequestedOutput): ParameterMap {
  return {
    ...(memory === undefined ? {} : placeParameters(memory)),
    ...(classification === undefined ? {} : parameterMap({ classification })),
  };
}

/** Unsigned numbers of 64 bits, of which the server takes the bits as those of a signed one. */
const UNSIGNED = ["sequence_id", "priority", "timeout"];

function requestParameters(parameters: Parameters): ParameterMap {
  const map = parameterMap(parameters);
  for (const key of UNSIGNED) {
    const value = parameters[key];
    if (typeof value === "bigint") map[key] = parameterInit(BigInt.asIntN(64, value));
  }
  return map;
}

/**
 * The message of a request.
 *
 * @param isRegistered whether the server has such memory, so that tensors in it need not be sent
 */
export function inferMessage(
  request: CheckedInfer,
  isRegistered: (range: SharedMemoryRange) => boolean,
): MessageInitShape<typeof ModelInferRequestSchema> {
  const rawInputContents: Uint8Array[] = [];
  const inputs = request.inputs.map((tensor) => {
    const range = rangeOf(tensor);
    const isPlaced = range !== undefined && isRegistered(range);
    if (!isPlaced) rawInputContents.push(rawBytes(tensor));
    const parameters = isPlaced ? placeParameters(range) : {};
    return { name: tensor.name, datatype: tensor.datatype, shape: tensor.shape.map(BigInt), parameters };
  });
  return {
    modelName: request.modelName,
    modelVersion: request.modelVersion,
    id: request.id,
    parameters: requestParameters(request.parameters),
    inputs,
    outputs: request.outputs.map((output) => ({ name: output.name, parameters: outputParameters(output) })),
    rawInputContents,
  };
}

function parametersFrom(map: Record<string, InferParameter>): Parameters {
  const parameters: Record<string, ParameterValue> = {};
  for (const [key, { parameterChoice }] of Object.entries(map)) {
    const { value } = parameterChoice;
    if (value === undefined) continue;
    parameters[key] = typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
  return parameters;
}

/** The elements of an output that came one by one; only one of the fields has some. */
function elementsOf(contents: InferTensorContents): ArrayLike<unknown> {
  const fields = [
    contents.boolContents,
    contents.intContents,
    contents.int64Contents,
    contents.uintContents,
    contents.uint64Contents,
    contents.fp32Contents,
    contents.fp64Contents,
    contents.bytesContents,
  ];
  return fields.find((field) => field.length > 0) ?? [];
}

function outputFrom(
  output: ModelInferResponse_InferOutputTensor,
  raw: Uint8Array | undefined,
  range: SharedMemoryRange | undefined,
): Tensor {
  const { name, datatype, shape, contents } = output;
  const head: OutputHead = { name, datatype, shape: shape.map(Number) };
  // Where the server writes an output into memory, it sends no bytes of it.
  if (range !== undefined && (raw === undefined || raw.byteLength === 0)) {
    return placedOutput(head, range);
  }
  if (raw !== undefined) return rawOutput(head, raw);
  if (contents !== undefined) return listedOutput(head, elementsOf(contents));
  throw new Error(`the data of output '${name}' is missing`);
}

/** What a server answered to a request. @throws ClientError when it cannot be read */
export function inferResult(
  response: ModelInferResponse,
  request: CheckedInfer,
  subject: CallSubject,
): InferenceResult {
  const { modelName, modelVersion, id, rawOutputContents } = response;
  const ranges = new Map(request.outputs.map(({ name, memory }) => [name, memory]));
  try {
    const outputs = response.outputs.map((output, at) => {
      return outputFrom(output, rawOutputContents[at], ranges.get(output.name));
    });
    return new InferenceResult({
      modelName,
      modelVersion,
      id,
      parameters: parametersFrom(response.parameters),
      outputs,
    });
  } catch (error) {
    throw notRead(subject, error as Error);
  }
}
