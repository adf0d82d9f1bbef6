// SPDX-License-Identifier: Apache-2.0
// Words for a value that somebody gave, for the error that it is not what was asked for. It may be anything, a proxy or an
// object whose getters throw: nothing here ever throws.

/** What kind of value something is: `undefined`, `number`, `Array`, `Map`. */
export function typeName(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  try {
    const name: unknown = (value.constructor as { name?: unknown } | undefined)?.name;
    return typeof name === "string" && name !== "" ? name : "object";
  } catch {
    return "object";
  }
}

/** The same in a sentence, "but is ...": `a number`, `an object`; the names of classes, `undefined` and `null` stay. */
export function kindName(value: unknown): string {
  const name = typeName(value);
  if (value === null || value === undefined) return name;
  if (name === "Object" || name === "object") return "an object";
  return typeof value === "object" ? name : `a ${name}`;
}

/** The value itself where it is a text or a number, else its kind. */
export function shown(value: unknown): string {
  if (typeof value === "string") return value === "" ? "an empty string" : `'${value}'`;
  return typeof value === "number" || typeof value === "bigint" ? String(value) : kindName(value);
}
