// SPDX-License-Identifier: Apache-2.0
// Models that one part of the benchmark needs besides the subjects: written into the repository, loaded, checked.

import { readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type HttpServer, request } from "./http.ts";
import type { Server } from "./server.ts";
import { type Workbench, writeModel } from "./setup.ts";

const MODELS = fileURLToPath(new URL("models", import.meta.url));

export interface Variant {
  /** Name of the model in the repository. */
  name: string;
  /** The backend's name in config.pbtxt. */
  backend: string;
  /** The folder below bench/models with the model's files, or nothing for a backend that needs none. */
  source?: string;
  /** Processes (for the floor: threads) that execute it. Default: 1. */
  instances?: number;
  /** 0, the default, for a model without a batch dimension. */
  maxBatchSize?: number;
  dynamicBatching?: boolean;
  /** How many inputs, each with its output. Default: one, named INPUT and OUTPUT. */
  tensors?: number;
  decoupled?: boolean;
  parameters?: Readonly<Record<string, string>>;
}

/** INPUT and OUTPUT, or INPUT0, INPUT1 ... when there are several. */
export function tensorNames(kind: "INPUT" | "OUTPUT", count = 1): string[] {
  return count === 1 ? [kind] : Array.from({ length: count }, (_, i) => `${kind}${i}`);
}

/** Its config.pbtxt: FP32 tensors of one dimension, instances on the CPU. */
export function variantConfig(variant: Variant): string {
  const side = (kind: "INPUT" | "OUTPUT") =>
    tensorNames(kind, variant.tensors).map(
      (name) => `${kind.toLowerCase()} [ { name: "${name}" data_type: TYPE_FP32 dims: [ -1 ] } ]`,
    );
  return [
    `backend: "${variant.backend}"`,
    `max_batch_size: ${variant.maxBatchSize ?? 0}`,
    ...side("INPUT"),
    ...side("OUTPUT"),
    `instance_group [ { kind: KIND_CPU count: ${variant.instances ?? 1} } ]`,
    ...(variant.dynamicBatching ? ["dynamic_batching { }"] : []),
    ...(variant.decoupled ? ["model_transaction_policy { decoupled: true }"] : []),
    ...Object.entries(variant.parameters ?? {}).map(
      ([key, value]) => `parameters { key: "${key}" value { string_value: "${value}" } }`,
    ),
    "",
  ].join("\n");
}

/** Writes the model into the repository; `server.load(variant.name)` finds it there. */
export function install(bench: Workbench, variant: Variant): void {
  const sources = variant.source === undefined ? [] : readdirSync(path.join(MODELS, variant.source));
  writeModel(bench.repository, variant.name, {
    config: variantConfig(variant),
    sources: sources.map((file) => path.join(variant.source!, file)),
  });
}

interface JsonTensor {
  name: string;
  datatype: string;
  shape: number[];
  data: number[];
}

/** A decoupled model answers HTTP at one place only: /generate, with plain arrays instead of tensors. */
async function checkDecoupled(server: HttpServer, variant: Variant): Promise<void> {
  const values = [0.5, 1.5, 2.5, 3.5];
  const reply = await request(server, `/v2/models/${variant.name}/generate`, {
    method: "POST",
    body: JSON.stringify({ INPUT: values }),
  });
  const text = await reply.text();
  if (reply.ok && (JSON.parse(text) as { OUTPUT?: number[] }).OUTPUT?.join() === values.join()) return;
  throw new Error(
    `The model ${variant.name} must answer OUTPUT with [${values}], but answered ${text}. Its timing would mean nothing.`,
  );
}

/** Throws unless the model answers every input, of different values, with the output of the same number. */
export async function checkVariant(server: HttpServer, variant: Variant): Promise<void> {
  if (variant.decoupled) return checkDecoupled(server, variant);
  const rows = Math.min(variant.maxBatchSize ?? 0, 3);
  const shape = rows > 0 ? [rows, 4] : [4];
  const count = shape.reduce((a, b) => a * b);
  const inputs: JsonTensor[] = tensorNames("INPUT", variant.tensors).map((name, i) => ({
    name,
    datatype: "FP32",
    shape,
    data: Array.from({ length: count }, (_, j) => 1000 * i + j + 0.5),
  }));
  const reply = await request(server, `/v2/models/${variant.name}/infer`, {
    method: "POST",
    body: JSON.stringify({ inputs }),
  });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`The model ${variant.name} answered with status ${reply.status}: ${text}`);
  const outputs = (JSON.parse(text) as { outputs: JsonTensor[] }).outputs;
  const plain = (t: JsonTensor | undefined) => t && [t.datatype, t.shape, t.data].join();
  for (const [i, name] of tensorNames("OUTPUT", variant.tensors).entries()) {
    if (plain(outputs.find((output) => output.name === name)) === plain(inputs[i])) continue;
    throw new Error(
      `The model ${variant.name} must answer ${name} with the values of ${inputs[i]!.name}, but answered ${text}. Its timing would mean nothing.`,
    );
  }
}

/** Installs, loads and checks the models, lets `use` measure them, and unloads them. */
export async function withVariants<T>(
  bench: Workbench,
  server: Server,
  variants: readonly Variant[],
  use: () => Promise<T>,
): Promise<T> {
  for (const variant of variants) {
    install(bench, variant);
    await server.load(variant.name);
    await checkVariant(server, variant);
  }
  const result = await use();
  for (const variant of variants) await server.unload(variant.name);
  return result;
}
