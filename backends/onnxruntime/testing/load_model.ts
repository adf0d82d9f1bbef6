// SPDX-License-Identifier: Apache-2.0
// An instance of a model, made as a server makes it, and what it answers.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AutoCompleteConfig, InferenceResponse, type ModelConfig } from "triton-typescript";
import { afterAll, expect } from "vitest";
import OnnxModel from "../model.ts";

const folder = mkdtempSync(join(tmpdir(), "onnx-backend-"));
afterAll(() => rmSync(folder, { recursive: true }));

function config(values: Partial<ModelConfig>): ModelConfig {
  return { name: "m", platform: "", backend: "onnxruntime", max_batch_size: 0, input: [], output: [], ...values };
}

/** Completes the configuration of a model file and starts an instance of it, as a server does. */
export async function load(
  file: Uint8Array,
  values: Partial<ModelConfig> = {},
  backendConfig: Record<string, string> = {},
) {
  const modelDir = mkdtempSync(join(folder, "m-"));
  writeFileSync(join(modelDir, "model.onnx"), file);
  const auto = new AutoCompleteConfig(config(values));
  const place = {
    modelName: "m",
    modelVersion: "1",
    modelRepository: folder,
    modelDir,
    backendConfig,
    backendDirectory: folder,
  };
  await OnnxModel.autoCompleteConfig(auto, place);
  const model = new OnnxModel();
  await model.initialize({
    ...place,
    modelInstanceName: "m_0_0",
    modelInstanceKind: "CPU",
    modelInstanceDeviceId: "0",
    modelConfig: auto.config,
    modelConfigJson: JSON.stringify(auto.config),
  });
  return { model, config: auto.config };
}

/** The elements of an output of an answer. */
export function values(answer: unknown, name: string): unknown[] {
  expect(answer).toBeInstanceOf(InferenceResponse);
  return Array.from((answer as InferenceResponse).output(name)!.data as Float32Array);
}
