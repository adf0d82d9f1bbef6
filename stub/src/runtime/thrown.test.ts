// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { TritonError } from "../api/errors.ts";
import { describeError, oneLine, ownWords, printable } from "./thrown.ts";

const trap = () => {
  throw new Error("trap");
};
const hostile = new Proxy({}, { get: trap, getPrototypeOf: trap });
const withGetter = (key: string) => Object.defineProperty(new Error("x"), key, { get: trap });
const nothing = Object.create(null) as object;

describe("oneLine", () => {
  test.each([
    [new RangeError("a\n  b"), "RangeError: a b"],
    ["text", "text"],
    [undefined, "undefined"],
    [Symbol("s"), "Symbol(s)"],
    [withGetter("message"), "Error: its message cannot be read"],
    [withGetter("name"), "Error: x"],
    [hostile, "a value that cannot be shown as text"],
    [nothing, "a value that cannot be shown as text"],
  ])("case %#", (value, text) => {
    expect(oneLine(value)).toBe(text);
  });
});

describe("describeError", () => {
  test("the stack, and those of the causes", () => {
    const text = describeError(new Error("outer", { cause: new TypeError("inner") }));
    expect(text).toMatch(/^Error: outer\n +at [\s\S]*\nCaused by: TypeError: inner\n +at /);
  });

  test("a circle of causes ends", () => {
    const error = new Error("round");
    error.cause = error;
    expect(describeError(error).match(/Error: round/g)!.length).toBeLessThan(20);
  });

  test("what cannot be read is left out", () => {
    expect(describeError(withGetter("stack"))).toBe("Error: x");
    expect(describeError(withGetter("cause"))).toContain("Error: x");
    expect(describeError(Object.defineProperty(new Error("no stack"), "stack", { value: undefined }))).toBe(
      "Error: no stack",
    );
  });

  test("other values", () => {
    expect(describeError("text")).toBe("A value that is no Error was thrown: text");
    expect(describeError(hostile)).toContain("cannot be shown as text");
    expect(describeError(new Error("x", { cause: 5 }))).toContain("Caused by: A value that is no Error was thrown: 5");
  });
});

test("printable", () => {
  expect(printable("a\0b \ud800 \ud83d\ude00")).toBe("a\\0b \ufffd \ud83d\ude00");
  expect(oneLine(new Error("a\0\udfff"))).toBe("Error: a\\0\ufffd");
  expect(ownWords(new TritonError("a\0\udfff"))?.message).toBe("a\\0\ufffd");
});

describe("ownWords", () => {
  test("of a TritonError", () => {
    expect(ownWords(new TritonError("busy", "UNAVAILABLE"))).toEqual({ code: "UNAVAILABLE", message: "busy" });
  });

  test("of nothing else", () => {
    for (const value of [new Error("x"), "busy", undefined, hostile]) expect(ownWords(value)).toBeUndefined();
  });

  test("nor of one that was spoilt", () => {
    for (const [key, value] of [
      ["code", "FINE"],
      ["message", 5],
    ] as const) {
      expect(ownWords(Object.defineProperty(new TritonError("x"), key, { value }))).toBeUndefined();
    }
    expect(ownWords(Object.defineProperty(new TritonError("x"), "message", { get: trap }))).toBeUndefined();
  });
});
