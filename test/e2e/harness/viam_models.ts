// SPDX-License-Identifier: Apache-2.0
// Models, their attributes and tensors that several tests of the Viam module use.
import type { JsonObject } from "@bufbuild/protobuf";
import type { ModelSpec } from "./repository.ts";

const picture = `
import { InferenceResponse, Tensor } from "triton-typescript";
export default class Picture {
  execute(requests) {
    return requests.map((request) => {
      const { data, shape } = request.input("image", "UINT8");
      return new InferenceResponse([new Tensor("copy", data, shape)]);
    });
  }
}
`;

/** Takes a picture and gives it back. */
export const pictureModel: ModelSpec = {
  name: "picture",
  config: `backend: "typescript"
    input [ { name: "image", data_type: TYPE_UINT8, dims: [ -1, -1, 3 ] } ]
    output [ { name: "copy", data_type: TYPE_UINT8, dims: [ -1, -1, 3 ] } ]`,
  files: { "1/model.ts": picture },
};

const text = `
import { InferenceResponse, Tensor } from "triton-typescript";
export default class Text {
  execute(requests) {
    return requests.map((request) => {
      const strings = request.input("TEXT", "BYTES").strings();
      return new InferenceResponse([new Tensor("TEXT", strings, [1]), new Tensor("LENGTH", Int32Array.of(strings[0].length), [1])]);
    });
  }
}
`;

/** Gives a text back, which Viam cannot carry, and its length. */
export const textModel: ModelSpec = {
  name: "text",
  config: `backend: "typescript"
    input [ { name: "TEXT", data_type: TYPE_STRING, dims: [ 1 ] } ]
    output [ { name: "TEXT", data_type: TYPE_STRING, dims: [ 1 ] }, { name: "LENGTH", data_type: TYPE_INT32, dims: [ 1 ] } ]`,
  files: { "1/model.ts": text },
};

/** A tensor of the robot's, with one dimension. */
export const floats = (...data: number[]) => ({
  shape: [BigInt(data.length)],
  tensor: { case: "floatTensor" as const, value: { data } },
});

/** What makes the attributes for a model of a repository. */
export const attributesIn =
  (repository: string) =>
  (model: string, more: JsonObject = {}): JsonObject => ({
    model_name: model,
    model_repository_path: repository,
    ...more,
  });
