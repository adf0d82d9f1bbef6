// SPDX-License-Identifier: Apache-2.0
// The answer of a model that reads text in pictures: TEXT BYTES [n], CONFIDENCE FP32 [n], BOX FP32 [n, 4, 2].
import type { BinaryTensor } from "../../../server/binary_infer.ts";
import { decodeElements } from "./tensor_values.ts";

export interface Point {
  x: number;
  y: number;
}

/** One line of text in a picture. */
export interface TextLine {
  text: string;
  /** From 0 to 1. */
  confidence: number;
  /** The four corners in pixels, clockwise from the top left of the text. */
  box: Point[];
}

/** The lines in the outputs, or undefined when the outputs are not those of such a model. */
export function readTextLines(outputs: readonly BinaryTensor[]): TextLine[] | undefined {
  const find = (name: string, datatype: string) =>
    outputs.find((output) => output.name === name && output.datatype === datatype);
  const [text, confidence, box] = [find("TEXT", "BYTES"), find("CONFIDENCE", "FP32"), find("BOX", "FP32")];
  if (text === undefined || confidence === undefined || box === undefined) return undefined;
  const texts = decodeElements(text.bytes, "BYTES").map(String);
  const sure = decodeElements(confidence.bytes, "FP32").map(Number);
  const corners = decodeElements(box.bytes, "FP32").map(Number);
  if (sure.length !== texts.length || corners.length !== texts.length * 8) return undefined;
  return texts.map((line, at) => ({
    text: line,
    confidence: sure[at] ?? 0,
    box: [0, 1, 2, 3].map((corner) => {
      const from = at * 8 + corner * 2;
      return { x: corners[from] ?? 0, y: corners[from + 1] ?? 0 };
    }),
  }));
}
