// SPDX-License-Identifier: Apache-2.0
// The backend `onnxruntime`: serves stock ONNX models with ONNX Runtime's Node library.
//
// It is a TypeScript-based backend, and anyone can write another one. A folder backends/<name>/ with two entries makes
// one: `libtriton_<name>.so`, a link to libtriton_typescript.so, and this file, `model.ts`. Every model
// whose config.pbtxt says `backend: "<name>"` is then served by the class that `model.ts` exports, with the same
// interface as a model of `backend: "typescript"`. What is different:
//  - The model's version folder needs no TypeScript file. It holds whatever the backend reads; `args.modelDir` is
//    its path, `args.modelConfig.default_model_filename` the file that the model's owner may have named.
//  - `args.backendDirectory` is this folder, `args.backendConfig` the options of `--backend-config=<name>,key=value`.
//  - `static outputShapes = "open"` says that `dims` of outputs are no rule: what the network gives is answered.
//  - `static autoCompleteConfig` can fill in a model's inputs and outputs, so that its config.pbtxt may stay short.
//  - Imports are looked up from this folder, so packages of the backend are installed beside it or above it.
// Sibling files are imported as in any program.

import {
  type AutoCompleteArgs,
  type AutoCompleteConfig,
  type ExecuteResult,
  type InferenceRequest,
  type InferenceResponse,
  type InitializeArgs,
  type ModelConfig,
  type OutputShapes,
  TritonError,
  type TritonModel,
} from "triton-typescript";
import { type Checked, checkRequest, groupByShape, runSingle, runTogether } from "./batch.ts";
import { checkConfig, completeConfig, isComplete, withScalarShapes } from "./configuration.ts";
import { findModelFile } from "./model_file.ts";
import { type Network, openNetwork } from "./network.ts";
import { isCuttable, runInPieces } from "./pieces.ts";
import { type Options, readOptions } from "./session_options.ts";

interface Opened {
  readonly file: string;
  readonly options: Options;
  readonly network: Network;
}

/** What auto-complete opened in this process, kept for the instance that is about to start here. */
let kept: Opened | undefined;

/** One instance of a model in an ONNX file. */
export default class OnnxModel implements TritonModel {
  /** Files declare shapes of outputs that hold for one size of input, or for none; NVIDIA's backend does not ask either. */
  static readonly outputShapes: OutputShapes = "open";

  #name = "";
  #batches = false;
  #opened: Opened | undefined;

  static async autoCompleteConfig(auto: AutoCompleteConfig, args: AutoCompleteArgs): Promise<void> {
    if (isComplete(auto.config)) return;
    const opened = await open(auto.config, args);
    try {
      completeConfig(auto, opened.network, args.backendConfig);
      kept = opened;
    } catch (error) {
      await opened.network.session.release();
      throw error;
    }
  }

  async initialize(args: InitializeArgs): Promise<void> {
    const config = args.modelConfig;
    this.#name = args.modelName;
    this.#batches = config.max_batch_size > 0;
    const opened = await open(config, args);
    checkConfig(config, opened.network);
    this.#opened = { ...opened, network: withScalarShapes(config, opened.network) };
    for (const warning of this.#opened.options.warnings) console.warn(warning);
    const { maxRowsPerRun } = this.#opened.options;
    if (maxRowsPerRun !== undefined && this.#opened.network.inputs.some(({ shape }) => shape[0] !== -1)) {
      console.warn(
        "MAX_ROWS_PER_RUN does nothing for this model: its file does not leave the first dimension of all inputs open.",
      );
    }
  }

  async execute(requests: InferenceRequest[]): Promise<ExecuteResult> {
    const { network } = this.#opened!;
    const answers: (InferenceResponse | TritonError)[] = [];
    const runnable: Checked[] = [];
    for (const [index, request] of requests.entries()) {
      try {
        runnable.push(checkRequest(this.#name, network, this.#batches, request, index));
      } catch (error) {
        answers[index] = this.#asTritonError(error);
      }
    }
    const groups = this.#batches ? groupByShape(runnable) : runnable.map((checked) => [checked]);
    for (const group of groups) await this.#answer(group, answers);
    return answers;
  }

  async finalize(): Promise<void> {
    await this.#opened?.network.session.release();
    this.#opened = undefined;
  }

  async #answer(group: readonly Checked[], answers: (InferenceResponse | TritonError)[]): Promise<void> {
    const { network, options } = this.#opened!;
    const most = options.maxRowsPerRun ?? Number.POSITIVE_INFINITY;
    const rows = group.reduce((sum, checked) => sum + checked.rows, 0);
    if (group.length > 1 && rows <= most) {
      try {
        const responses = await runTogether(this.#name, network, group, options.run);
        for (const [i, checked] of group.entries()) answers[checked.index] = responses[i]!;
        return;
      } catch {
        // One of them may be at fault: each gets a run of its own, and with it an answer of its own.
      }
    }
    for (const checked of group) {
      try {
        answers[checked.index] = isCuttable(network, checked, most)
          ? await runInPieces(this.#name, network, checked, most, options.run)
          : await runSingle(network, checked, options.run);
      } catch (error) {
        answers[checked.index] = this.#asTritonError(error);
      }
    }
  }

  #asTritonError(error: unknown): TritonError {
    if (error instanceof TritonError) return error;
    const cause = error instanceof Error ? error.message : String(error);
    return new TritonError(`Model '${this.#name}': ONNX Runtime could not run the model: ${cause.trim()}`, "INTERNAL");
  }
}

interface Place {
  readonly modelDir: string;
  readonly backendDirectory: string;
  readonly backendConfig: Readonly<Record<string, string>>;
}

/** Opens the model file of a model, or takes over what auto-complete opened with the same options. */
async function open(config: ModelConfig, place: Place): Promise<Opened> {
  const file = findModelFile(config, place.modelDir, place.backendDirectory);
  const options = readOptions(config, place.backendConfig);
  const found = kept;
  kept = undefined;
  if (found !== undefined) {
    if (found.file === file && JSON.stringify(found.options.session) === JSON.stringify(options.session)) {
      return { ...found, options };
    }
    await found.network.session.release();
  }
  return { file, options, network: await openNetwork(config.name, file, options.session) };
}
