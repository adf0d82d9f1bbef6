// SPDX-License-Identifier: Apache-2.0
// Makes the tensors of a request from the options of "triton-ts infer" and the model's metadata.
import { readFileSync } from "node:fs";
import type { ModelMetadata, TensorMetadata } from "../../../client/http/index.ts";
import type { BinaryTensor } from "../../../server/binary_infer.ts";
import { codeOf, messageOf } from "../../../server/error.ts";
import { type DataType, dataTypeInfo, isDataType } from "../api/datatype.ts";
import { CliError } from "./error.ts";
import { encodeElements, fitShape, parseWritten, type WrittenValue } from "./tensor_values.ts";

export interface InputOptions {
  image?: string;
  input: string[];
  shape: string[];
}

/** Reads a file that the user named. */
export function readUserFile(file: string, what: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    if (codeOf(error) === "ENOENT") throw new CliError(`The ${what} ${file} does not exist. Check its path.`);
    if (codeOf(error) === "EISDIR") throw new CliError(`The ${what} ${file} is a folder. Give a file.`);
    throw new CliError(`The ${what} ${file} cannot be read: ${messageOf(error)}`);
  }
}

function splitPair(text: string, option: string): [string, string] {
  const at = text.indexOf("=");
  if (at <= 0) throw new CliError(`${option} needs NAME=VALUE, not ${JSON.stringify(text)}.`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** A batch of one may be left out. A model that makes batches has an open dimension first, as others may have, too. */
function withBatch(shape: number[], input: TensorMetadata): number[] {
  return shape.length === input.shape.length - 1 && input.shape[0] === -1 ? [1, ...shape] : shape;
}

function parseShape(text: string, input: TensorMetadata): number[] {
  const sizes = text.split(/[,x]/).map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : -1));
  if (sizes.some((size) => size < 0)) {
    throw new CliError(
      `--shape ${input.name}= needs sizes with commas between, such as 1,3,224,224, not ${JSON.stringify(text)}.`,
    );
  }
  return withBatch(sizes, input);
}

function findInput(metadata: ModelMetadata, name: string): TensorMetadata & { datatype: DataType } {
  const input = metadata.inputs.find((candidate) => candidate.name === name);
  if (input === undefined) {
    const names = metadata.inputs.map((candidate) => candidate.name).join(", ");
    throw new CliError(`The model ${metadata.name} has no input ${name}. Its inputs are: ${names}.`);
  }
  return withKnownType(input);
}

function withKnownType(input: TensorMetadata): TensorMetadata & { datatype: DataType } {
  if (!isDataType(input.datatype)) {
    throw new CliError(`Input ${input.name} has the datatype ${input.datatype}, which this client does not know.`);
  }
  return { ...input, datatype: input.datatype };
}

function written(value: WrittenValue, input: TensorMetadata & { datatype: DataType }, shape?: number[]): BinaryTensor {
  const { name, datatype } = input;
  const bytes = encodeElements(value.elements, datatype, name);
  const count = value.elements.length;
  // Nested lists tell their shape.
  const chosen = shape ?? (value.nested ? withBatch(value.shape, input) : fitShape(input.shape, count, name));
  return { name, datatype, shape: checkedShape(chosen, count, name), bytes };
}

function checkedShape(shape: number[], count: number, name: string): number[] {
  const product = shape.reduce((sum, size) => sum * size, 1);
  if (product !== count) {
    throw new CliError(`Input ${name} has ${count} elements, its shape [${shape.join(", ")}] asks for ${product}.`);
  }
  return shape;
}

function fromFile(file: string, input: TensorMetadata & { datatype: DataType }, shape?: number[]): BinaryTensor {
  const bytes = readUserFile(file, "file");
  if (!file.endsWith(".json")) return fromBytes(bytes, file, input, shape);
  return written(parseWritten(new TextDecoder().decode(bytes), input.datatype, input.name), input, shape);
}

/** The bytes of a file as they are: one element of BYTES, else little-endian data. */
function fromBytes(
  bytes: Uint8Array,
  file: string,
  input: TensorMetadata & { datatype: DataType },
  shape?: number[],
): BinaryTensor {
  const { name, datatype } = input;
  if (datatype === "BYTES") return written({ elements: [bytes], shape: [1], nested: false }, input, shape);
  const { byteSize } = dataTypeInfo(datatype);
  if (bytes.byteLength % byteSize !== 0) {
    throw new CliError(
      `${file} has ${bytes.byteLength} bytes, which is not a multiple of the ${byteSize} bytes of ${datatype}.`,
    );
  }
  const count = bytes.byteLength / byteSize;
  return { name, datatype, shape: checkedShape(shape ?? fitShape(input.shape, count, name), count, name), bytes };
}

/** The input that an encoded picture belongs to: the one called IMAGE, else the only UINT8 or BYTES one left. */
function imageInput(metadata: ModelMetadata, taken: ReadonlySet<string>): TensorMetadata & { datatype: DataType } {
  const candidates = metadata.inputs.filter(
    ({ name, datatype }) => !taken.has(name) && (datatype === "UINT8" || datatype === "BYTES"),
  );
  const chosen =
    candidates.find(({ name }) => /^image$/i.test(name)) ?? (candidates.length === 1 ? candidates[0] : undefined);
  if (chosen === undefined) {
    const names = metadata.inputs.map(({ name, datatype }) => `${name} (${datatype})`).join(", ");
    throw new CliError(
      `It is not clear which input of ${metadata.name} takes the picture: ${names}. Use --input NAME=@FILE instead of --image.`,
    );
  }
  return withKnownType(chosen);
}

/** The tensors of the request. Throws CliError for anything that does not fit the model. */
export function makeInputs(metadata: ModelMetadata, options: InputOptions): BinaryTensor[] {
  const shapes = new Map(options.shape.map((text) => splitPair(text, "--shape")));
  const shapeOf = (input: TensorMetadata) => {
    const text = shapes.get(input.name);
    return text === undefined ? undefined : parseShape(text, input);
  };
  for (const name of shapes.keys()) findInput(metadata, name);
  const given = new Set<string>();
  const tensors = options.input.map((text) => {
    const [name, value] = splitPair(text, "--input");
    if (given.has(name)) {
      throw new CliError(
        `--input ${name} is there twice. Give each input once; more elements go into one list: --input ${name}=[...].`,
      );
    }
    given.add(name);
    const input = findInput(metadata, name);
    if (value.startsWith("@")) return fromFile(value.slice(1), input, shapeOf(input));
    return written(parseWritten(value, input.datatype, name), input, shapeOf(input));
  });
  if (options.image !== undefined) {
    const input = imageInput(metadata, new Set(tensors.map(({ name }) => name)));
    const picture = readUserFile(options.image, "picture");
    tensors.push(fromBytes(picture, options.image, input, shapeOf(input)));
  }
  if (tensors.length === 0) {
    const wanted = metadata.inputs
      .map(({ name, datatype, shape }) => `${name} ${datatype} [${shape.join(", ")}]`)
      .join(", ");
    throw new CliError(
      `The model ${metadata.name} needs inputs: ${wanted}. Give them with --input NAME=VALUE or --image FILE.`,
    );
  }
  return tensors;
}
