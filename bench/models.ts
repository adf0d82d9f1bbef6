// SPDX-License-Identifier: Apache-2.0
// The models of the benchmark: written into a repository, loaded, checked. All have their instances on the CPU.

import { randomFillSync } from "node:crypto";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { HttpClient } from "../client/http/index.ts";
import { type Ask, ask, askToGenerate, mustBe, tensor } from "./answers.ts";
import type { Contestant } from "./grid.ts";
import type { Server } from "./server.ts";

export interface Model {
  /** Its name in the repository. */
  name: string;
  /** As in config.pbtxt; an ensemble has none. */
  backend: string;
  /** The folder below bench/models with its files, or nothing for a backend that needs none. */
  source?: string;
  /** Further files of the version folder, by name. */
  files?: Readonly<Record<string, string>>;
  /** How many inputs an identity has, each with its output. Default: one, named INPUT and OUTPUT. */
  tensors?: number;
  /** Name, datatype and dimensions of each tensor, such as "BOXES FP32 -1 4", for what is no identity of FP32. */
  inputs?: readonly string[];
  outputs?: readonly string[];
  /** Processes (for the floor: threads) that execute it. Default: 1. */
  instances?: number;
  /** 0, the default, for a model without a batch dimension. */
  maxBatchSize?: number;
  dynamicBatching?: boolean;
  decoupled?: boolean;
  /** The models that an ensemble of identities passes its tensor through, one after the other. */
  steps?: readonly string[];
  parameters?: Readonly<Record<string, string>>;
}

/** INPUT and OUTPUT, or INPUT0, INPUT1 ... when there are several. */
export function tensorNames(kind: "INPUT" | "OUTPUT", count = 1): string[] {
  return count === 1 ? [kind] : Array.from({ length: count }, (_, i) => `${kind}${i}`);
}

function tensorLines(kind: "INPUT" | "OUTPUT", { tensors, inputs, outputs }: Model): string[] {
  const stated = kind === "INPUT" ? inputs : outputs;
  return (stated ?? tensorNames(kind, tensors).map((name) => `${name} FP32 -1`)).map((tensor) => {
    const [name, datatype, ...dims] = tensor.split(" ");
    const type = datatype === "BYTES" ? "STRING" : datatype;
    return `${kind.toLowerCase()} [ { name: "${name}" data_type: TYPE_${type} dims: [ ${dims.join(", ")} ] } ]`;
  });
}

/** Between two steps the tensor has a name of the ensemble's own. */
function stepLines(steps: readonly string[]): string {
  const name = (i: number) => (i === 0 ? "INPUT" : i === steps.length ? "OUTPUT" : `BETWEEN${i}`);
  const map = (kind: string, key: string, value: string) => `${kind}_map { key: "${key}" value: "${value}" }`;
  const step = (model: string, i: number) =>
    `{ model_name: "${model}" model_version: -1 ${map("input", "INPUT", name(i))} ${map("output", "OUTPUT", name(i + 1))} }`;
  return `ensemble_scheduling { step [ ${steps.map(step).join(", ")} ] }`;
}

/** Its config.pbtxt. */
export function configOf(model: Model): string {
  const { steps } = model;
  return [
    steps ? 'platform: "ensemble"' : `backend: "${model.backend}"`,
    `max_batch_size: ${model.maxBatchSize ?? 0}`,
    ...tensorLines("INPUT", model),
    ...tensorLines("OUTPUT", model),
    steps ? stepLines(steps) : `instance_group [ { kind: KIND_CPU count: ${model.instances ?? 1} } ]`,
    ...(model.dynamicBatching ? ["dynamic_batching { }"] : []),
    ...(model.decoupled ? ["model_transaction_policy { decoupled: true }"] : []),
    ...Object.entries(model.parameters ?? {}).map(
      ([key, value]) => `parameters { key: "${key}" value { string_value: "${value}" } }`,
    ),
    "",
  ].join("\n");
}

/** Writes version 1 of the model into a repository, over what was there. */
export function install(repository: string, model: Model): void {
  const folder = path.join(repository, model.name);
  const version = path.join(folder, "1");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(version, { recursive: true });
  writeFileSync(path.join(folder, "config.pbtxt"), configOf(model));
  if (model.source) cpSync(path.join(import.meta.dirname, "models", model.source), version, { recursive: true });
  for (const [name, content] of Object.entries(model.files ?? {})) writeFileSync(path.join(version, name), content);
}

/** Throws unless the identity answers each input, `bytes` of them at random, with the output of the same number. */
export async function checkEcho(
  client: HttpClient,
  model: Model,
  bytes = 16,
  way: Ask = model.decoupled ? askToGenerate : ask,
): Promise<void> {
  const rows = Math.min(model.maxBatchSize ?? 0, 3);
  const shape = [...(rows > 0 ? [rows] : []), bytes / 4];
  const inputs = tensorNames("INPUT", model.tensors).map((name) => {
    const data = new Float32Array(Math.max(rows, 1) * (bytes / 4));
    // Random bits are not all numbers, and only numbers go through JSON.
    return tensor(name, "FP32", model.decoupled ? data.map((_, i) => i + 0.5) : randomFillSync(data), shape);
  });
  const expected = inputs.map((input) => ({ ...input, name: input.name.replace("INPUT", "OUTPUT") }));
  mustBe(`The model ${model.name}`, await way(client, model.name, inputs), expected);
}

/** Installs, loads and checks the models, lets `use` measure them, and unloads them. */
export async function withModels<T>(
  server: Server,
  models: readonly Model[],
  use: () => Promise<T>,
  check: (model: Model) => Promise<void> = (model) => checkEcho(server.client, model),
): Promise<T> {
  for (const model of models) {
    install(server.bench.repository, model);
    await server.load(model.name);
    await check(model);
  }
  const result = await use();
  for (const { name } of models) await server.unload(name);
  return result;
}

/** The titles of those that stand in for their backends in every part. */
export const FLOOR = "native C (floor)";
export const PYTHON = "python_backend";
export const OURS = "typescript";

export const SUBJECT_NAMES = ["floor", "python", "typescript", "typescript_allocate"] as const;
export type SubjectName = (typeof SUBJECT_NAMES)[number];
export type Subject = Model & Contestant & { name: SubjectName };

/** One identity for each backend, alike in all but the backend. */
export const SUBJECTS: readonly Subject[] = [
  { name: "floor", title: FLOOR, backend: "native_identity" },
  { name: "python", title: PYTHON, backend: "python", source: "identity_python" },
  { name: "typescript", title: OURS, backend: "typescript", source: "identity" },
  {
    name: "typescript_allocate",
    title: "typescript, allocateOutput",
    backend: "typescript",
    source: "identity_allocate",
  },
];

/**
 * The aims speak of the counterpart of the numpy identity, which hands its input on. The model with allocateOutput copies
 * once itself, which none of the others does: it is shown, and not judged.
 */
export const isJudged = ({ title }: Contestant): boolean => title === OURS;
