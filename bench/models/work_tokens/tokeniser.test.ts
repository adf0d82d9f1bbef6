// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { Tokeniser } from "./tokeniser.ts";

const vocabulary = [
  "[PAD]",
  "[UNK]",
  "[CLS]",
  "[SEP]",
  "un",
  "##aff",
  "##able",
  "##a",
  "##ff",
  "able",
  ",",
  "2",
  "##2",
];
const tokeniser = new Tokeniser(vocabulary);
const pieces = (text: string) => tokeniser.tokenise(text).map((id) => vocabulary[Number(id)]);

test("the longest piece that fits, again and again", () => {
  expect(pieces("unaffable")).toEqual(["[CLS]", "un", "##aff", "##able", "[SEP]"]);
  expect(pieces("unaff a")).toEqual(["[CLS]", "un", "##aff", "[UNK]", "[SEP]"]);
});

test("capitals become small, marks are words of their own", () => {
  expect(pieces("Able,un\n22")).toEqual(["[CLS]", "able", ",", "un", "2", "##2", "[SEP]"]);
});

test("a word with a rest that nothing fits is unknown as a whole", () => {
  expect(pieces("unx able !")).toEqual(["[CLS]", "[UNK]", "able", "[UNK]", "[SEP]"]);
});

test("a piece that continues does not begin a word, and one that begins does not continue", () => {
  expect(pieces("aff ununable")).toEqual(["[CLS]", "[UNK]", "[UNK]", "[SEP]"]);
});

test("a piece of the longest kind is found at the end of a long word", () => {
  expect(pieces(`un${"a".repeat(20)}able`)).toEqual(["[CLS]", "un", ...Array(20).fill("##a"), "##able", "[SEP]"]);
});

test("no text is two marks", () => {
  expect(pieces("")).toEqual(["[CLS]", "[SEP]"]);
});

test("a vocabulary without the marks is refused", () => {
  expect(() => new Tokeniser(["[UNK]", "[CLS]", "a"])).toThrow("must hold [SEP]");
});
