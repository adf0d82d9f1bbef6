// SPDX-License-Identifier: Apache-2.0
import { inspect } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { serializeBytes } from "./bytes.ts";
import { DATA_TYPES, type DataType, type TensorData } from "./datatype.ts";
import { isDefect } from "./errors.ts";
import { lazyTensor, placeOf, sourceOf, Tensor, trustedTensor, unserializedElements } from "./tensor.ts";

/** The constructor without its types, to give it what a model in JavaScript may give. */
const Loose = Tensor as unknown as new (name: unknown, data: unknown, shape: unknown, datatype?: unknown) => Tensor;

/** What is thrown for the mistake of a client. */
const invalid = (text: string) =>
  expect.objectContaining({ code: "INVALID_ARG", message: expect.stringContaining(text) });

/** Runs what throws for a mistake of the model, and gives the message. */
function mistake(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    expect([(error as { code?: string }).code, isDefect(error)]).toEqual(["INTERNAL", true]);
    return (error as Error).message;
  }
  throw new Error("Nothing was thrown.");
}

describe("construction", () => {
  test.each(DATA_TYPES.map(({ name, array }) => [name, array] as const))("%s", (datatype, array) => {
    const data = datatype === "BYTES" ? serializeBytes(["a", "bc"]) : new array(2);
    const tensor = new Tensor<DataType>("T", data, [1, 2], datatype);
    expect(tensor).toMatchObject({ name: "T", datatype, shape: [1, 2], elementCount: 2, byteLength: data.byteLength });
    expect(tensor.data).toBe(data);
    const again = new Tensor("OUT", tensor.data, tensor.shape, tensor.datatype);
    expect([again.data, again.datatype, again.shape]).toEqual([data, datatype, [1, 2]]);
  });

  test.each([
    [new Uint8Array(1), "UINT8"],
    [new Uint16Array(1), "UINT16"],
    [new Uint32Array(1), "UINT32"],
    [new BigUint64Array(1), "UINT64"],
    [new Int8Array(1), "INT8"],
    [new Int16Array(1), "INT16"],
    [new Int32Array(1), "INT32"],
    [new BigInt64Array(1), "INT64"],
    [new Float32Array(1), "FP32"],
    [new Float64Array(1), "FP64"],
    [["a"], "BYTES"],
    [[new Uint8Array(3)], "BYTES"],
    [[true], "BOOL"],
  ])("the datatype of %o is %s", (data, datatype) => {
    expect(new Loose("T", data, [1]).datatype).toBe(datatype);
  });

  test("an empty array without datatype is BYTES", () => {
    expect(new Tensor("T", [] as string[], [0])).toMatchObject({ datatype: "BYTES", byteLength: 0 });
  });

  test("booleans become bytes, a Float16Array its raw bits", () => {
    expect([...new Tensor("T", [true, false], [2], "BOOL").data]).toEqual([1, 0]);
    const Half = (globalThis as unknown as { Float16Array?: new (values: number[]) => never }).Float16Array;
    if (Half !== undefined) expect([...(new Loose("T", new Half([1]), [1]).data as Uint16Array)]).toEqual([0x3c00]);
  });

  test("a scalar and zero-size tensors", () => {
    expect(new Tensor("T", new Float32Array(1), []).elementCount).toBe(1);
    expect(new Tensor("T", new Float32Array(0), [3, 0]).byteLength).toBe(0);
    expect(new Tensor("T", new Uint8Array(0), [0], "BYTES").strings()).toEqual([]);
  });

  test("the shape is the tensor's own", () => {
    const shape = [2];
    const tensor = new Tensor("T", new Int8Array(2), shape);
    shape[0] = 9;
    expect(tensor.shape).toEqual([2]);
  });
});

describe("refusals", () => {
  test.each([
    ["", new Uint8Array(1), [1], undefined, "A tensor needs a name"],
    [5, new Uint8Array(1), [1], undefined, "but got a number"],
    ["T", new Float32Array(3), [2, 2], undefined, "shape [2, 2] of tensor 'T' has 4 elements, but its data has 3"],
    ["T", ["a"], [2], "BYTES", "has 2 elements, but its data has 1"],
    ["T", [true], [2], "BOOL", "has 2 elements, but its data has 1"],
    ["T", serializeBytes(["a"]), [2], "BYTES", "has 2 elements, but its data has 1"],
    ["T", new Uint8Array([9]), [1], "BYTES", "ends inside the length of element 0"],
    ["T", new Float32Array(1), [-1], undefined, "Dimension 0 of tensor 'T' is -1"],
    ["T", new Float32Array(1), [1, 1.5], undefined, "Dimension 1 of tensor 'T' is 1.5"],
    ["T", new Float32Array(1), ["1"], undefined, "Dimension 0 of tensor 'T' is 1."],
    ["T", new Float32Array(1), 1, undefined, "The shape of tensor 'T' must be an array of numbers, but is a number"],
    [
      "T",
      new Float32Array(1),
      undefined,
      undefined,
      "but is undefined. Give it as third argument: new Tensor(name, data, shape).",
    ],
    ["T", new Float32Array(1), [2 ** 30, 2 ** 30], undefined, "has more elements than can be addressed"],
    ["T", new Float32Array(1), [1], "FLOAT", "'FLOAT' is not a datatype"],
    ["T", new Float32Array(1), [1], "INT32", "of datatype INT32 cannot be made of Float32Array. Give an Int32Array"],
    ["T", new Uint16Array(1), [1], "FP32", "cannot be made of Uint16Array. Give a Float32Array"],
    ["T", [1, 2], [2], undefined, "Tensor 'T' cannot be made of an array of number"],
    ["T", [1, 2], [2], "FP32", "of datatype FP32 cannot be made of an array of number"],
    ["T", "text", [1], "BYTES", "of datatype BYTES cannot be made of a string"],
    ["T", undefined, [1], undefined, "Tensor 'T' cannot be made of undefined"],
    ["T", new DataView(new ArrayBuffer(1)), [1], undefined, "cannot be made of DataView"],
    ["T", ["a", 5], [2], "BYTES", "Element 1 of tensor 'T' of datatype BYTES is a number"],
    ["T", [true, 1], [2], "BOOL", "Element 1 of tensor 'T' of datatype BOOL is a number"],
  ])("%o, %o, %o, %o", (name, data, shape, datatype, text) => {
    expect(mistake(() => new Loose(name, data, shape, datatype))).toContain(text);
  });
});

describe("BYTES", () => {
  test("strings and bytes of serialized data, found once", () => {
    const tensor = new Tensor("T", serializeBytes(["é", "b"]), [2], "BYTES");
    expect(tensor.strings()).toEqual(["é", "b"]);
    expect(tensor.strings()).toBe(tensor.strings());
    expect(tensor.bytes().map((element) => [...element])).toEqual([[0xc3, 0xa9], [98]]);
    expect(tensor.bytes()).toBe(tensor.bytes());
  });

  test("given strings are serialized when the data is read", () => {
    const tensor = new Tensor("T", ["é", "b"], [2]);
    expect(unserializedElements(tensor)).toEqual(["é", "b"]);
    expect(tensor.byteLength).toBe(11);
    expect(tensor.strings()).toEqual(["é", "b"]);
    expect(unserializedElements(tensor)).toBeDefined();
    expect(tensor.data).toEqual(serializeBytes(["é", "b"]));
    expect(tensor.data).toBe(tensor.data);
    expect(unserializedElements(tensor)).toBeUndefined();
    expect(tensor.bytes()[1]).toEqual(new Uint8Array([98]));
  });

  test("mixed elements", () => {
    const tensor = new Tensor("T", ["a", new Uint8Array([98])], [2], "BYTES");
    expect(tensor.strings()).toEqual(["a", "b"]);
    expect(tensor.bytes()).toEqual([new Uint8Array([97]), new Uint8Array([98])]);
  });

  test("an input whose data does not fit its shape", () => {
    const short = trustedTensor("IN", "BYTES", [3], serializeBytes(["a"]));
    expect(() => short.strings()).toThrow(invalid("tensor 'IN' has 3 elements, but its data holds 1"));
    expect(() => short.bytes()).toThrow(invalid("tensor 'IN' has 3 elements, but its data holds 1"));
  });

  test("other datatypes have no strings", () => {
    const tensor = new Tensor("T", new Float32Array(1), [1]);
    expect(mistake(() => tensor.strings())).toContain("has datatype FP32, but strings() reads BYTES only");
    expect(mistake(() => tensor.bytes())).toContain("has datatype FP32, but bytes() reads BYTES only");
  });
});

describe("floats", () => {
  test.each(["FP16", "BF16", "FP32"] as const)("%s from and to 32-bit floats", (datatype) => {
    const tensor = Tensor.fromFloat32("T", new Float32Array([1, -2.5]), [2], datatype);
    expect(tensor.datatype).toBe(datatype);
    expect([...tensor.toFloat32()]).toEqual([1, -2.5]);
  });

  test("FP32 is not copied", () => {
    const data = new Float32Array(1);
    expect(Tensor.fromFloat32("T", data, [1], "FP32").toFloat32()).toBe(data);
  });

  test("other datatypes are refused", () => {
    expect(mistake(() => new Tensor("T", new Int8Array(1), [1]).toFloat32())).toContain("toFloat32() reads FP16, BF16");
    expect(mistake(() => Tensor.fromFloat32("T", new Float32Array(1), [1], "FP64" as "FP32"))).toContain(
      "'FP64' was asked",
    );
    expect(mistake(() => Tensor.fromFloat32("T", [1] as never, [1], "FP16"))).toContain("needs a Float32Array");
  });
});

test("a clone keeps its data", () => {
  for (const data of [new Float32Array([1]), Buffer.from([1])]) {
    const tensor = new Loose("T", data, [1]);
    const copy = tensor.clone();
    data[0] = 2;
    expect([copy.data[0], copy.name, copy.datatype, copy.shape]).toEqual([1, "T", tensor.datatype, [1]]);
  }
});

describe("a tensor under another name", () => {
  test("has the same data, datatype and shape", () => {
    const tensor = new Loose("T", Float32Array.of(1, 2), [2, 1]);
    const renamed = tensor.renamed("U");
    expect(renamed).toMatchObject({ name: "U", datatype: "FP32", shape: [2, 1], elementCount: 2 });
    expect(renamed.data).toBe(tensor.data);
    renamed.shape[0] = 7;
    expect([tensor.name, tensor.shape]).toEqual(["T", [2, 1]]);
  });

  test("of strings needs not be serialized", () => {
    const renamed = new Tensor("T", ["a", "b"], [2]).renamed("U");
    expect(unserializedElements(renamed)).toEqual(["a", "b"]);
    expect(renamed.strings()).toEqual(["a", "b"]);
  });

  test("lies where it lay, and is asked for when it is read", () => {
    const place = { region: 1, offset: 64, byteLength: 4 };
    expect(placeOf(trustedTensor("OUT", "FP32", [1], new Float32Array(1), place).renamed("U"))).toBe(place);
    const source = { inputData: vi.fn(() => new Float32Array(1)) };
    const renamed = lazyTensor("IN", "FP32", [1], source, 7).renamed("U");
    expect(source.inputData).not.toHaveBeenCalled();
    expect(sourceOf(renamed)).toEqual({ source, index: 7 });
    expect(renamed.data).toEqual(new Float32Array(1));
    expect(source.inputData).toHaveBeenCalledWith(7, "U");
  });

  test.each(["", 5, undefined])("%j is no name", (name) => {
    expect(mistake(() => new Tensor("T", Float32Array.of(1), [1]).renamed(name as string))).toContain("name");
  });
});

describe("the one element", () => {
  test.each<[Tensor, unknown]>([
    [new Tensor("T", Float32Array.of(1.5), [1, 1]), 1.5],
    [new Tensor("T", Int8Array.of(-1), []), -1],
    [new Tensor("T", BigInt64Array.of(-5n), [1]), -5n],
    [new Tensor("T", BigUint64Array.of(2n ** 64n - 1n), [1]), 2n ** 64n - 1n],
    [new Tensor("T", [true], [1]), true],
    [new Tensor("T", Uint8Array.of(0), [1], "BOOL"), false],
    [new Tensor("T", Uint8Array.of(1), [1]), 1],
    [new Tensor("T", ["grün"], [1]), "grün"],
    [new Tensor("T", serializeBytes(["a"]), [1], "BYTES"), "a"],
    [Tensor.fromFloat32("T", Float32Array.of(0.5), [1], "FP16"), 0.5],
    [Tensor.fromFloat32("T", Float32Array.of(-2), [1], "BF16"), -2],
  ])("of %o is %o", (tensor, item) => {
    expect(tensor.item()).toBe(item);
  });

  test.each([[[0]], [[2]], [[1, 3]]])("is none of the shape %j", (shape) => {
    const tensor = new Tensor("T", new Float32Array(shape.reduce((product, side) => product * side)), shape);
    expect(mistake(() => tensor.item())).toBe(
      `item() reads tensors with exactly one element, but tensor 'T' has the shape [${shape.join(", ")}].`,
    );
  });
});

describe("tensors of the runtime", () => {
  test("data is asked for once, when it is read", () => {
    const asked: number[] = [];
    const inputData = (index: number): TensorData => {
      asked.push(index);
      return new Float32Array(4);
    };
    const tensor = lazyTensor("IN", "FP32", [2, 2], { inputData }, 7);
    expect([tensor.elementCount, tensor.byteLength, asked]).toEqual([4, 16, []]);
    expect(tensor.data).toBe(tensor.data);
    expect(asked).toEqual([7]);
  });

  test("the size of lazy BYTES is that of its data", () => {
    const tensor = lazyTensor("IN", "BYTES", [1], { inputData: () => serializeBytes(["abc"]) }, 0);
    expect(unserializedElements(tensor)).toBeUndefined();
    expect(tensor.byteLength).toBe(7);
  });

  test("a place is kept, and a clone has none", () => {
    const place = { region: 1, offset: 64, byteLength: 4 };
    const tensor = trustedTensor("OUT", "FP32", [1], new Float32Array(1), place);
    expect(placeOf(tensor)).toBe(place);
    expect(placeOf(tensor.clone())).toBeUndefined();
    expect(placeOf(new Tensor("T", tensor.data, [1]))).toBeUndefined();
  });
});

test("a tensor prints without its data", () => {
  expect(inspect(new Tensor("T", new Float32Array(2), [1, 2]))).toBe(
    "Tensor { name: 'T', datatype: 'FP32', shape: [1, 2] }",
  );
});
