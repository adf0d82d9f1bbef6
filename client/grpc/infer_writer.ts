// SPDX-License-Identifier: Apache-2.0
// The bytes of a request to a model, field by field: every call takes this way. The generated code makes a message of each part
// first and looks its fields up, and copies raw contents three times.
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type InferParameterSchema, ModelInferRequestSchema } from "../../proto/gen/inference/grpc_service_pb.ts";

type Request = MessageInitShape<typeof ModelInferRequestSchema>;
type Input = NonNullable<Request["inputs"]>[number];
type Output = NonNullable<Request["outputs"]>[number];
type Parameter = MessageInitShape<typeof InferParameterSchema>;
type ParameterMap = Readonly<Record<string, Parameter>>;

/** The number of the field of raw contents, the last one. */
const rawField = 7;

function writeText(writer: BinaryWriter, field: number, text = ""): void {
  if (text !== "") writer.tag(field, WireType.LengthDelimited).string(text);
}

function writeChoice(writer: BinaryWriter, { parameterChoice: choice }: Parameter): void {
  switch (choice?.case) {
    case "boolParam":
      writer.tag(1, WireType.Varint).bool(choice.value);
      break;
    case "int64Param":
      writer.tag(2, WireType.Varint).int64(choice.value);
      break;
    case "stringParam":
      writer.tag(3, WireType.LengthDelimited).string(choice.value);
      break;
    case "doubleParam":
      writer.tag(4, WireType.Bit64).double(choice.value);
      break;
    case "uint64Param":
      writer.tag(5, WireType.Varint).uint64(choice.value);
      break;
    case undefined:
  }
}

function writeParameters(writer: BinaryWriter, field: number, parameters: ParameterMap = {}): void {
  for (const [name, parameter] of Object.entries(parameters)) {
    writer.tag(field, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(name);
    writer.tag(2, WireType.LengthDelimited).fork();
    writeChoice(writer, parameter);
    writer.join().join();
  }
}

function writeInput(writer: BinaryWriter, { name, datatype, shape = [], parameters }: Input): void {
  writer.tag(5, WireType.LengthDelimited).fork();
  writeText(writer, 1, name);
  writeText(writer, 2, datatype);
  if (shape.length > 0) {
    writer.tag(3, WireType.LengthDelimited).fork();
    for (const size of shape) writer.int64(size);
    writer.join();
  }
  writeParameters(writer, 4, parameters);
  writer.join();
}

function writeOutput(writer: BinaryWriter, { name, parameters }: Output): void {
  writer.tag(6, WireType.LengthDelimited).fork();
  writeText(writer, 1, name);
  writeParameters(writer, 2, parameters);
  writer.join();
}

/** What stands before raw contents: their field and their length. */
function rawHead(contents: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(rawField, WireType.LengthDelimited).uint32(contents.byteLength).finish();
}

/** A request as it is sent. Raw contents are copied once. */
export function inferRequestBytes(message: Request): Buffer {
  const { modelName, modelVersion, id, parameters, inputs = [], outputs = [], rawInputContents = [] } = message;
  // This client sends none, so there is no faster way for them here.
  if (inputs.some(({ contents }) => contents !== undefined)) {
    return Buffer.from(toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, message)).buffer);
  }
  const writer = new BinaryWriter();
  writeText(writer, 1, modelName);
  writeText(writer, 2, modelVersion);
  writeText(writer, 3, id);
  writeParameters(writer, 4, parameters);
  for (const input of inputs) writeInput(writer, input);
  for (const output of outputs) writeOutput(writer, output);
  return Buffer.concat([writer.finish(), ...rawInputContents.flatMap((contents) => [rawHead(contents), contents])]);
}
