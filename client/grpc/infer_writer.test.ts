// SPDX-License-Identifier: Apache-2.0
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ModelInferRequestSchema } from "../../proto/gen/inference/grpc_service_pb.ts";
import { inferRequestBytes } from "./infer_writer.ts";

type Request = MessageInitShape<typeof ModelInferRequestSchema>;
const choice = <C extends string, V>(name: C, value: V) => ({ parameterChoice: { case: name, value } });
const numbers = [0n, 1n, -1n, 127n, 128n, -(2n ** 63n), 2n ** 63n - 1n];

const requests: [string, Request][] = [
  ["nothing", {}],
  ["names", { modelName: "m", modelVersion: "12", id: "größe 🙂" }],
  [
    "parameters of all kinds",
    {
      parameters: {
        "": choice("stringParam", ""),
        yes: choice("boolParam", true),
        no: choice("boolParam", false),
        text: choice("stringParam", "x".repeat(300)),
        real: choice("doubleParam", -0.1),
        most: choice("uint64Param", 2n ** 64n - 1n),
        none: {},
        ...Object.fromEntries(numbers.map((number) => [`n${number}`, choice("int64Param", number)])),
      },
    },
  ],
  [
    "inputs and outputs",
    {
      inputs: [
        { name: "IN", datatype: "FP32", shape: [2n, 3n], parameters: { a: choice("int64Param", 5n) } },
        { name: "n".repeat(200), datatype: "BYTES", shape: numbers },
        {},
      ],
      outputs: [{ name: "OUT", parameters: { classification: choice("int64Param", 3n) } }, { name: "" }],
    },
  ],
  [
    "raw contents",
    { inputs: [{ name: "A" }], rawInputContents: [0, 1, 127, 128, 70_000].map((size) => new Uint8Array(size).fill(9)) },
  ],
  ["elements", { inputs: [{ name: "A", contents: { fp32Contents: [1, 2] } }], rawInputContents: [Uint8Array.of(1)] }],
];

test.each(requests)("a request of %s has the bytes of the generated code", (_, request) => {
  const bytes = inferRequestBytes(request);
  const wanted = toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, request));
  expect(Buffer.compare(bytes, wanted)).toBe(0);
});
