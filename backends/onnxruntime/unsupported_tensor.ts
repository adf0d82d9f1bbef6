// SPDX-License-Identifier: Apache-2.0
// What is said about inputs and outputs that cannot travel, and what to do about them.

import { TritonError } from "triton-typescript";

/** The error for a model file whose input or output is of a type that Triton, or the library, does not have. */
export function unsupportedTensor(
  modelName: string,
  kind: "input" | "output",
  name: string,
  type: string,
): TritonError {
  return new TritonError(
    `Model '${modelName}': ${kind} '${name}' of the model file is of the ONNX type ${type}, which this backend does not ` +
      `carry. ${adviceFor(kind, type)}`,
    "UNSUPPORTED",
  );
}

/** What to do about an input or output that cannot travel. */
function adviceFor(kind: "input" | "output", type: string): string {
  const isInput = kind === "input";
  if (type.startsWith("tensor(")) return `Add a Cast to the model, ${isInput ? "from" : "to"} float for instance.`;
  if (type.includes("map")) return "Export the model without it (for scikit-learn models: the option zipmap=False).";
  if (type.startsWith("sequence(")) {
    const operator = isInput
      ? "SequenceConstruct, fed by a tensor for each element"
      : "ConcatFromSequence or SequenceAt";
    return `Triton carries tensors only: ${isInput ? "begin" : "end"} the model with ${operator}.`;
  }
  if (type.startsWith("optional(")) {
    return `Triton carries tensors only: ${isInput ? "export the model without it" : "end the model with OptionalGetElement"}.`;
  }
  return "Triton carries dense tensors only: export the model without it.";
}
