// SPDX-License-Identifier: Apache-2.0
// What the robot is told about a model.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type FileSchema, LabelType, type MetadataSchema } from "../proto/gen/viam/service/mlmodel/v1/mlmodel_pb.ts";
import type { Labels } from "./labels.ts";
import {
  type ContractInput,
  type ContractOutput,
  type ContractTensor,
  type ModelContract,
  shapeText,
} from "./model_contract.ts";

type Metadata = MessageInitShape<typeof MetadataSchema>;
type Files = MessageInitShape<typeof FileSchema>[];

/** What a client has to know of a tensor that is another kind in the model than in Viam. */
const standsFor: Readonly<Record<string, string>> = {
  BOOL: "BOOL in the model: 0 is false, anything else is true.",
  FP16: "FP16 in the model, converted.",
  BF16: "BF16 in the model, converted.",
};

function inputDescription({ datatype, optional }: ContractInput, { maxBatchSize }: ModelContract): string {
  const text = datatype === "BYTES" ? "Text in the model: the bytes of one text." : standsFor[datatype];
  const batches = maxBatchSize > 1 ? `The first dimension may be up to ${maxBatchSize}, or left out.` : undefined;
  return [text, optional ? "May be left out." : undefined, batches].filter(Boolean).join(" ");
}

function outputDescription({ datatype }: ContractOutput): string {
  return datatype === "BYTES" ? "Texts in the model: a JSON array of them." : (standsFor[datatype] ?? "");
}

/**
 * The shape with the dimension of batches, of which Viam's clients send one. A picture of a model without batches gets one,
 * too: the vision service wants to see four dimensions, and the module takes that one away.
 */
function shapeOf({ dims, kind }: ContractTensor, { maxBatchSize }: ModelContract, isInput: boolean): number[] {
  const isPicture = isInput && dims.length === 3 && (dims[0] === 3 || dims[2] === 3) && /^(uint8|float32)$/.test(kind);
  return maxBatchSize > 0 || isPicture ? [1, ...dims] : [...dims];
}

const common = (tensor: ContractTensor, contract: ModelContract, isInput: boolean) => ({
  name: tensor.name,
  dataType: tensor.kind,
  shape: tensor.datatype === "BYTES" ? [-1] : shapeOf(tensor, contract, isInput),
});

/** What kind of model it is, by the outputs that the vision service knows. */
function typeOf(outputs: readonly ContractOutput[]): string {
  const names = outputs.map(({ name }) => name);
  if (["location", "category", "score"].every((name) => names.includes(name))) return "object_detector";
  return names.includes("probability") ? "classifier" : "other";
}

/** The metadata of a model; `outputs` are those that Viam is given. */
export function metadataOf(
  contract: ModelContract,
  outputs: readonly ContractOutput[],
  labels: Labels | undefined,
  serverVersion: string,
): Metadata {
  const files = (name: string): Files => {
    if (labels?.output !== name) return [];
    const labelType = name === "category" ? LabelType.TENSOR_VALUE : LabelType.TENSOR_AXIS;
    return [{ name: labels.file, description: "A label in each line.", labelType }];
  };
  return {
    name: contract.model,
    type: typeOf(outputs),
    description: `Version ${contract.version} of ${contract.model} (${contract.platform}) on Triton ${serverVersion}.`,
    inputInfo: contract.inputs.map((input) => ({
      ...common(input, contract, true),
      description: inputDescription(input, contract),
    })),
    outputInfo: outputs.map((output, index) => ({
      ...common(output, contract, false),
      description: outputDescription(output),
      associatedFiles: files(output.name),
      // The vision service looks at the first output, whichever the labels belong to.
      ...(index === 0 && labels !== undefined ? { extra: { labels: labels.file } } : {}),
    })),
  };
}

/** What a model takes and gives, as Viam sees it, in a sentence. */
export function tensorsText({ inputInfo = [], outputInfo = [] }: Metadata): string {
  const list = (tensors: typeof inputInfo) =>
    tensors
      .map(({ name, dataType, shape = [] }) => `${JSON.stringify(name)} (${dataType} ${shapeText(shape)})`)
      .join(", ") || "nothing";
  return `It takes ${list(inputInfo)} and gives ${list(outputInfo)}.`;
}
