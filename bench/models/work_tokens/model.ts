// SPDX-License-Identifier: Apache-2.0
// TEXT BYTES [1] -> IDS INT64 [n]: the ids of its word pieces, as BERT wants them, between those of [CLS] and [SEP].

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type InferenceRequest, InferenceResponse, type InitializeArgs, type TritonModel } from "triton-typescript";

const word = /[a-z0-9]+|[^a-z0-9\s]/g;
const continuation = "##";

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

export class Tokeniser {
  /** Pieces that begin a word, and pieces that continue one, without their mark. Ids are bigints, as INT64 tensors hold. */
  readonly #beginnings = new Map<string, bigint>();
  readonly #continuations = new Map<string, bigint>();
  /** Length of the longest piece: nothing longer needs to be looked up. */
  readonly #longest: number;
  readonly #unknown: bigint;
  readonly #begin: bigint;
  readonly #end: bigint;

  /** `vocabulary` holds one piece for each id; pieces that continue a word begin with ##. */
  constructor(vocabulary: readonly string[]) {
    vocabulary.forEach((piece, id) => {
      if (piece.startsWith(continuation)) this.#continuations.set(piece.slice(continuation.length), BigInt(id));
      else this.#beginnings.set(piece, BigInt(id));
    });
    this.#longest = vocabulary.reduce((longest, piece) => Math.max(longest, piece.length), 0);
    const special = (piece: string) => {
      const id = this.#beginnings.get(piece);
      if (id === undefined) throw new Error(`The vocabulary must hold ${piece}, but it does not.`);
      return id;
    };
    [this.#unknown, this.#begin, this.#end] = [special("[UNK]"), special("[CLS]"), special("[SEP]")];
  }

  tokenise(text: string): bigint[] {
    const ids = [this.#begin];
    for (const found of text.toLowerCase().match(word) ?? []) this.#appendPieces(found, ids);
    ids.push(this.#end);
    return ids;
  }

  /** The longest piece that fits, again and again; a word with a rest that nothing fits is unknown as a whole. */
  #appendPieces(text: string, ids: bigint[]): void {
    const before = ids.length;
    let pieces = this.#beginnings;
    for (let start = 0; start < text.length; pieces = this.#continuations) {
      let end = Math.min(text.length, start + this.#longest);
      let id: bigint | undefined;
      while (end > start) {
        id = pieces.get(text.slice(start, end));
        if (id !== undefined) break;
        end--;
      }
      if (id === undefined) {
        ids.length = before;
        ids.push(this.#unknown);
        return;
      }
      ids.push(id);
      start = end;
    }
  }
}
