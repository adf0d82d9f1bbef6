// SPDX-License-Identifier: Apache-2.0
// TEXT BYTES [1] -> IDS INT64 [n]: the ids of its word pieces between those of [CLS] and [SEP].

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type InferenceRequest, InferenceResponse, type InitializeArgs, type TritonModel } from "triton-typescript";
import { Tokeniser } from "./tokeniser.ts";

export default class Tokens implements TritonModel {
  #tokeniser!: Tokeniser;

  initialize(args: InitializeArgs): void {
    this.#tokeniser = new Tokeniser(readFileSync(join(args.modelDir, "vocabulary.txt"), "utf8").trimEnd().split("\n"));
  }

  execute(requests: InferenceRequest[]): InferenceResponse[] {
    return requests.map((request) => {
      const ids = this.#tokeniser.tokenise(request.input("TEXT", "BYTES").strings()[0]!);
      const output = request.allocateOutput("IDS", "INT64", [ids.length]);
      for (let i = 0; i < ids.length; i++) output.data[i] = ids[i]!;
      return new InferenceResponse([output]);
    });
  }
}
