// SPDX-License-Identifier: Apache-2.0
// Writes small ONNX files for tests, byte by byte, so that no binary file is committed and no other program is needed.

/** Numbers of the ONNX element types. */
export const elementTypes = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
  COMPLEX64: 14,
  BF16: 16,
  FP8: 17,
  UINT4: 21,
} as const;

export interface FileTensor {
  readonly name: string;
  readonly type: keyof typeof elementTypes;
  /** A name stands for an open dimension. */
  readonly shape: readonly (number | string)[];
  /** Not the tensor itself, but a sequence of such ones, or one that may be missing. */
  readonly of?: keyof typeof containers;
}

/** Numbers of the ONNX types around a type. */
const containers = { sequence: 4, optional: 9 } as const;

export interface FileNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Whole numbers by name. */
  readonly attributes?: Readonly<Record<string, number>>;
}

/** A constant. An input of the same name can replace it. */
export interface FileInitializer {
  readonly name: string;
  readonly type: keyof typeof elementTypes;
  readonly shape: readonly number[];
  /** Its numbers, or the name of a file beside the model that holds them. */
  readonly data: ArrayBufferView | string;
}

/** Bytes of an ONNX model of the given operators. */
export function onnxFile(
  nodes: readonly FileNode[],
  inputs: readonly FileTensor[],
  outputs: readonly FileTensor[],
  initializers: readonly FileInitializer[] = [],
  operatorSet = 13,
): Uint8Array {
  const graph = [
    ...nodes.map((node) =>
      message(1, [
        ...node.inputs.map((name) => text(1, name)),
        ...node.outputs.map((name) => text(2, name)),
        text(4, node.op),
        ...Object.entries(node.attributes ?? {}).map(([name, value]) =>
          message(5, [text(1, name), number(3, value), number(20, 2)]),
        ),
      ]),
    ),
    text(2, "graph"),
    ...initializers.map(initializer),
    ...inputs.map((tensor) => valueInfo(11, tensor)),
    ...outputs.map((tensor) => valueInfo(12, tensor)),
  ];
  const opset = message(8, [text(1, ""), number(2, operatorSet)]);
  return Buffer.concat([number(1, 8), message(7, graph), opset]);
}

function initializer({ name, type, shape, data }: FileInitializer): Uint8Array {
  const content =
    typeof data === "string"
      ? [message(13, [text(1, "location"), text(2, data)]), number(14, 1)]
      : [message(9, [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)])];
  const dims = shape.map((side) => number(1, side));
  return message(5, [...dims, number(2, elementTypes[type]), text(8, name), ...content]);
}

function valueInfo(field: number, tensor: FileTensor): Uint8Array {
  const dims = tensor.shape.map((side) => message(1, [typeof side === "number" ? number(1, side) : text(2, side)]));
  const tensorType = message(1, [number(1, elementTypes[tensor.type]), message(2, dims)]);
  const type = tensor.of === undefined ? tensorType : message(containers[tensor.of], [message(1, [tensorType])]);
  return message(field, [text(1, tensor.name), message(2, [type])]);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest >>= 7;
  }
  return Uint8Array.of(...bytes, rest);
}

function number(field: number, value: number): Uint8Array {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

function message(field: number, parts: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts);
  return Buffer.concat([varint((field << 3) | 2), varint(body.length), body]);
}

function text(field: number, value: string): Uint8Array {
  return message(field, [Buffer.from(value)]);
}
