// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { kindName, shown, typeName } from "./value_words.ts";

const trap = (): never => {
  throw new Error("trap");
};
const hostile = new Proxy({}, { get: trap, getPrototypeOf: trap });

test("typeName", () => {
  const values = [null, undefined, 1, "s", () => 1, [], {}, new Map(), Object.create(null), hostile];
  expect(values.map(typeName)).toEqual([
    "null",
    "undefined",
    "number",
    "string",
    "function",
    "Array",
    "Object",
    "Map",
    "object",
    "object",
  ]);
  expect(typeName({ constructor: { name: "" } })).toBe("object");
  expect(typeName({ constructor: { name: 5 } })).toBe("object");
});

test("kindName", () => {
  const values = [null, undefined, 1, "s", true, 7n, Symbol("x"), () => 1, class A {}, [], {}, new Map(), hostile];
  expect(values.map(kindName)).toEqual([
    "null",
    "undefined",
    "a number",
    "a string",
    "a boolean",
    "a bigint",
    "a symbol",
    "a function",
    "a function",
    "Array",
    "an object",
    "Map",
    "an object",
  ]);
});

test("shown", () => {
  expect(["a", "", 7, -0.5, 7n, true, null, [7], hostile].map(shown)).toEqual([
    "'a'",
    "an empty string",
    "7",
    "-0.5",
    "7",
    "a boolean",
    "null",
    "Array",
    "an object",
  ]);
});
