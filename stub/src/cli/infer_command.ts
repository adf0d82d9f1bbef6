// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import { type InferOptions, infer } from "./infer.ts";

const collect = (value: string, previous: string[]) => [...previous, value];

const examples = `
A value is JSON (nested for more than one dimension), numbers with commas between, or text. @file reads the value
from a file: JSON from *.json, else the bytes of the file (little-endian data, or one element for BYTES).

Examples:
  $ triton-ts infer ocr --image photo.png --save annotated.png
  $ triton-ts infer add_sub --input INPUT0=$(seq -s, 16) --input INPUT1=$(seq -s, 16)
  $ triton-ts infer classifier --input x=@pixels.bin --shape x=1,3,224,224 --json`;

/** The command "triton-ts infer". */
export function inferCommand(): Command {
  return new Command("infer")
    .description("send one request to a model and print the answer")
    .argument("<model>", "name of the model")
    .option("--url <url>", "HTTP address of the server", "http://127.0.0.1:8000")
    .option("--model-version <version>", "version of the model (default: the server chooses)")
    .option("--image <file>", "an encoded picture (JPEG, PNG, WebP) for the model's UINT8 or BYTES input")
    .option("--input <name=value>", "value of an input (repeatable)", collect, [])
    .option(
      "--shape <name=dims>",
      "shape of an input, such as x=1,3,224,224; a batch of one may be left out (repeatable)",
      collect,
      [],
    )
    .option("--save <file>", "draw the boxes and texts of the answer into a copy of the picture")
    .option("--json", "print the whole answer as JSON")
    .addHelpText("after", examples)
    .action((model: string, options: InferOptions) => infer(model, options));
}
