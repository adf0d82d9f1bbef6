// SPDX-License-Identifier: Apache-2.0
// Messages as the JSON that Triton answers over HTTP: names as in the protocol's files, numbers as numbers.
import type { DescField, DescMessage, MessageShape } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";

type Plain = string | number | boolean | Uint8Array | Plain[] | { [key: string]: Plain };

function scalar(value: unknown): Plain {
  return typeof value === "bigint" ? Number(value) : (value as Plain);
}

/** A value that a field has; in lists and maps, one of its values. */
function element(field: DescField, value: unknown): Plain {
  if (field.message !== undefined) return plain(value as ReflectMessage);
  if (field.enum !== undefined) return field.enum.value[value as number]?.name ?? (value as number);
  return scalar(value);
}

function fieldValue(message: ReflectMessage, field: DescField): Plain {
  if (field.fieldKind === "list") return [...message.get(field)].map((value) => element(field, value));
  if (field.fieldKind === "map") {
    const entries = [...message.get(field)].map(([key, value]) => [String(key), element(field, value)] as const);
    return Object.fromEntries(entries);
  }
  return element(field, message.get(field));
}

/** What is not set has its default, but for messages and the alternatives of a choice, which are left out. */
function plain(message: ReflectMessage): Plain {
  const json: { [key: string]: Plain } = {};
  for (const field of message.fields) {
    const isOptional = field.oneof !== undefined || field.fieldKind === "message";
    if (isOptional && !message.isSet(field)) continue;
    json[field.name] = fieldValue(message, field);
  }
  return json;
}

/** A message as JSON. Whole numbers of 64 bits become numbers, which are exact up to 2^53. */
export function messageJson<D extends DescMessage, T>(schema: D, message: MessageShape<D>): T {
  return plain(reflect(schema, message)) as T;
}
