// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import {
  defect,
  isDefect,
  isTritonErrorCode,
  TRITON_ERROR_CODES,
  TritonError,
  type TritonErrorCode,
} from "./errors.ts";

test("a TritonError is an Error with a code", () => {
  const cause = new Error("cause");
  const error = new TritonError("gone", "NOT_FOUND", { cause });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ name: "TritonError", message: "gone", code: "NOT_FOUND", cause });
  expect(String(error)).toBe("TritonError: gone");
  expect(Object.keys(error)).toEqual(["code"]);
});

test("the code is INTERNAL unless said", () => {
  expect(new TritonError("oh").code).toBe("INTERNAL");
});

test("an unknown code is refused", () => {
  expect(() => new TritonError("oh", "BAD" as TritonErrorCode)).toThrow("one of the codes UNKNOWN, INTERNAL");
});

test("a message that cannot be a text is refused in a sentence", () => {
  for (const message of [Symbol("no"), Object.create(null)]) {
    expect(() => new TritonError(message as never)).toThrow("A TritonError needs a message that is a string, but got ");
  }
  expect([undefined, 7].map((message) => new TritonError(message as never).message)).toEqual(["", "7"]);
});

test("a mistake of the model is INTERNAL and told from the model's own words", () => {
  expect(defect("oh")).toMatchObject({ name: "TritonError", message: "oh", code: "INTERNAL" });
  expect([defect("oh"), new TritonError("oh"), new Error("oh"), "oh", undefined].map(isDefect)).toEqual([
    true,
    false,
    false,
    false,
    false,
  ]);
});

test("what is a code", () => {
  expect(TRITON_ERROR_CODES.every(isTritonErrorCode)).toBe(true);
  expect(["internal", "", "toString", 1, null, undefined, ["INTERNAL"]].some(isTritonErrorCode)).toBe(false);
  expect(Object.isFrozen(TRITON_ERROR_CODES)).toBe(true);
});

test("the codes stand at Triton's numbers", () => {
  expect(TRITON_ERROR_CODES).toEqual([
    "UNKNOWN",
    "INTERNAL",
    "NOT_FOUND",
    "INVALID_ARG",
    "UNAVAILABLE",
    "UNSUPPORTED",
    "ALREADY_EXISTS",
    "CANCELLED",
  ]);
});
