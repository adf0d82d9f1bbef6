// SPDX-License-Identifier: Apache-2.0
// What a server tells of itself and its models, checked before it is given as what its type promises.
import { type CallSubject, described, unreadable } from "../client_error.ts";

/** What a value is not, as the end of a sentence; undefined where it is as it should be. */
export type Shape = (value: unknown, what: string) => string | undefined;

type Members = Readonly<Record<string, Shape>>;

function kind(name: string, isOne: (value: unknown) => boolean): Shape {
  return (value, what) => (isOne(value) ? undefined : `${what} should be ${name}, but is ${described(value)}`);
}

const text = kind("a string", (value) => typeof value === "string");
const number = kind("a number", (value) => typeof value === "number");
const setting = kind("a string, a number or a boolean", (value) => /^(string|number|boolean)$/.test(typeof value));
const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
const anObject = kind("an object", isObject);
const anArray = kind("an array", Array.isArray);

/** The first of them that says something. */
function first<T>(items: Iterable<T>, say: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const said = say(item);
    if (said !== undefined) return said;
  }
  return undefined;
}

function list(of: Shape): Shape {
  return (value, what) =>
    anArray(value, what) ?? first((value as unknown[]).entries(), ([at, item]) => of(item, `${what}[${at}]`));
}

function optional(shape: Shape): Shape {
  return (value, what) => (value === undefined ? undefined : shape(value, what));
}

/** Objects of which these members are known; others may be there. */
function object(members: Members): Shape {
  return (value, what) =>
    anObject(value, what) ??
    first(Object.entries(members), ([key, shape]) => {
      return shape((value as Record<string, unknown>)[key], what === "it" ? `its ${key}` : `${what}.${key}`);
    });
}

/** Objects whose members are all alike. */
function record(of: Shape): Shape {
  return (value, what) =>
    anObject(value, what) ?? first(Object.entries(value as object), ([key, member]) => of(member, `its ${key}`));
}

const tensors = list(object({ name: text, datatype: text, shape: list(number) }));
const named = list(object({ name: text }));
const duration = object({ count: number, ns: number });
const durations = (...names: readonly string[]) =>
  object(Object.fromEntries(names.map((name) => [name, optional(duration)])));

/** What is asked for, and how it looks. What old servers leave out is optional here. */
export const SHAPES = {
  object: anObject,
  serverMetadata: object({ name: text, version: text, extensions: list(text) }),
  modelMetadata: object({
    name: text,
    versions: optional(list(text)),
    platform: text,
    inputs: tensors,
    outputs: tensors,
  }),
  modelConfig: object({ name: text, input: named, output: named }),
  statistics: object({
    model_stats: list(
      object({
        name: text,
        version: text,
        last_inference: number,
        inference_count: number,
        execution_count: number,
        inference_stats: durations("success", "fail", "queue", "compute_input", "compute_infer", "compute_output"),
        batch_stats: list(object({ batch_size: number })),
        memory_usage: optional(anArray),
        response_stats: optional(anObject),
      }),
    ),
  }),
  repositoryIndex: list(object({ name: text, version: optional(text), state: optional(text), reason: optional(text) })),
  logSettings: record(setting),
  traceSettings: record((value, what) => (Array.isArray(value) ? list(text)(value, what) : text(value, what))),
  sharedMemoryStatus: list(object({ name: text, key: text, offset: number, byte_size: number })),
} as const;

/** @throws ClientError PROTOCOL when the value is not of the shape */
export function shaped<T>(subject: CallSubject, value: unknown, shape: Shape): T {
  const wrong = shape(value, "it");
  if (wrong === undefined) return value as T;
  throw unreadable(subject, `${wrong}. Is this the HTTP endpoint of a Triton server?`);
}
