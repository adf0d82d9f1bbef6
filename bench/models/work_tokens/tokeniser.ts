// SPDX-License-Identifier: Apache-2.0
// Text to the ids of word pieces, as BERT wants them.

const word = /[a-z0-9]+|[^a-z0-9\s]/g;
const continuation = "##";

/** Ids are bigints from the beginning: that is what INT64 tensors hold. */
type Ids = ReadonlyMap<string, bigint>;

export class Tokeniser {
  /** Pieces that begin a word, and pieces that continue one, without their mark. */
  readonly #beginnings: Ids;
  readonly #continuations: Ids;
  /** Length of the longest piece: nothing longer needs to be looked up. */
  readonly #longest: number;
  readonly #unknown: bigint;
  readonly #begin: bigint;
  readonly #end: bigint;

  /** `vocabulary` holds one piece for each id; pieces that continue a word begin with ##. */
  constructor(vocabulary: readonly string[]) {
    const beginnings = new Map<string, bigint>();
    const continuations = new Map<string, bigint>();
    vocabulary.forEach((piece, id) => {
      if (piece.startsWith(continuation)) continuations.set(piece.slice(continuation.length), BigInt(id));
      else beginnings.set(piece, BigInt(id));
    });
    this.#beginnings = beginnings;
    this.#continuations = continuations;
    this.#longest = vocabulary.reduce((longest, piece) => Math.max(longest, piece.length), 0);
    this.#unknown = this.#special("[UNK]");
    this.#begin = this.#special("[CLS]");
    this.#end = this.#special("[SEP]");
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

  #special(piece: string): bigint {
    const id = this.#beginnings.get(piece);
    if (id === undefined) throw new Error(`The vocabulary must hold ${piece}, but it does not.`);
    return id;
  }
}
