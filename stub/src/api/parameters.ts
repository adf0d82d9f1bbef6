// SPDX-License-Identifier: Apache-2.0
import { defect } from "./errors.ts";
import { kindName, shown } from "./value_words.ts";

/** A request or response parameter. Integers beyond 2^53 are bigints. */
export type ParameterValue = string | number | bigint | boolean;

/** Named parameters of a request or response. */
export type Parameters = Readonly<Record<string, ParameterValue>>;

/** Whose parameters are meant. */
export type ParameterOwner = "Request" | "Response";

/** @throws TritonError INTERNAL when Triton cannot carry the value, or a text would end at a zero */
export function checkParameter(owner: ParameterOwner, key: string, value: ParameterValue): void {
  const text = typeof value === "string" ? value : "";
  if (key.includes("\0") || text.includes("\0")) {
    throw defect(`${owner} parameter '${key}' has a zero character, where Triton's texts end. Leave it out.`);
  }
  const sound =
    typeof value === "string" ||
    typeof value === "boolean" ||
    (typeof value === "number" && (Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value))) ||
    (typeof value === "bigint" && BigInt.asIntN(64, value) === value);
  if (!sound) {
    throw defect(
      `${owner} parameter '${key}' is ${typeof value === "string" ? "string" : shown(value)}. ` +
        "Give a string, a boolean, a finite number (whole ones up to 2^53) or a bigint that fits 64 bits.",
    );
  }
}

/** Of an object literal, of any realm, or one without a prototype. */
function isPlainObject(value: unknown): boolean {
  if (value === null || typeof value !== "object") return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** @throws TritonError INTERNAL when they are no plain object, or one has a value that Triton cannot carry */
export function checkParameters(owner: ParameterOwner, parameters: Parameters): void {
  if (!isPlainObject(parameters)) {
    throw defect(
      `The parameters of an Inference${owner} must be a plain object, { name: value }, but are ${kindName(parameters)}.`,
    );
  }
  for (const [key, value] of Object.entries(parameters)) checkParameter(owner, key, value);
}
