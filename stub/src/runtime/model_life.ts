// SPDX-License-Identifier: Apache-2.0
import { dirname, join } from "node:path";
import { AutoCompleteConfig } from "../api/auto_complete.ts";
import { isDefect, TritonError } from "../api/errors.ts";
import { isDecoupled, type ModelConfig, modelParameter } from "../api/model_config.ts";
import type { AutoCompleteArgs, StreamingModel, TritonModel } from "../api/triton_model.ts";
import { kindName } from "../api/value_words.ts";
import type { HasErrorKeys, HasKeys } from "../ipc/control.ts";
import { AnswerMaker } from "./answers.ts";
import { compileCacheFolder } from "./compile_cache.ts";
import { log } from "./logging.ts";
import { type LoadedModel, loadModel } from "./model_loader.ts";
import { useOpenTelemetryOf } from "./open_telemetry.ts";
import { describeError, oneLine, ownWords } from "./thrown.ts";

/** What the server says with the step `load` (backend-shim/src/model.c). */
export interface LoadPayload {
  readonly autoComplete: boolean;
  /** The model's file lies in the backend's folder, not in the model's. */
  readonly typescriptBased: boolean;
  readonly modelName: string;
  readonly modelVersion: string;
  readonly modelRepository: string;
  readonly backendDirectory: string;
  readonly backendConfig: Readonly<Record<string, string>>;
  readonly modelConfig: ModelConfig;
}

/** What the server says with the step `initialize` (backend-shim/src/instance_stub.c). */
export interface InitializePayload {
  readonly instanceName: string;
  readonly instanceKind: "CPU" | "GPU" | "MODEL";
  readonly deviceId: string;
  /** How many batches the model executes at once. */
  readonly concurrency: number;
  /** Clients may read what the model threw that is no TritonError. */
  readonly exposeErrors: boolean;
  /** All outputs must be there, with the shapes of the configuration. */
  readonly checkOutputs: boolean;
  /** Names of inputs and outputs in the order of the protocol's tables. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly modelConfig: ModelConfig;
}

// The contract's lists (tsb_method.def) name the same keys, or this does not compile.
true satisfies HasKeys<LoadPayload, "load", "call">;
true satisfies HasKeys<InitializePayload, "initialize", "call">;
true satisfies HasKeys<Awaited<ReturnType<ModelLife["load"]>>, "load", "reply">;
true satisfies HasErrorKeys<ReturnType<typeof stepError>>;

const YES = new Set(["true", "yes", "1", "on"]);
const NO = new Set(["false", "no", "0", "off"]);

/** False by default. The server's side reads its booleans in the same way (backend-shim/src/settings.c). */
function flag(config: ModelConfig, key: string): boolean {
  const text = modelParameter(config, key) ?? "";
  if (YES.has(text.toLowerCase())) return true;
  if (NO.has(text.toLowerCase()) || text === "") return false;
  throw new TritonError(`The model parameter '${key}' must be 'true' or 'false', but is '${text}'.`, "INVALID_ARG");
}

/** An option of the backend that is false by default. The server has refused what is neither true nor false. */
export function backendFlag({ backendConfig }: LoadPayload, key: string): boolean {
  return YES.has(backendConfig[key]?.toLowerCase() ?? "");
}

/** An error as the server puts it into its own: the code, and a message that says where it happened. */
export function stepError(error: unknown, where: string): { error: { code: string; message: string } } {
  const own = ownWords(error);
  if (own === undefined || isDefect(error)) log("E", describeError(error));
  if (own !== undefined) return { error: own };
  return { error: { code: "INTERNAL", message: `${where} failed: ${oneLine(error)}` } };
}

/** One model in this process, from its file to its end. */
export class ModelLife {
  readonly #apiUrl: string;
  #loadArgs: LoadPayload | undefined;
  #loaded: LoadedModel | undefined;
  #model: TritonModel | StreamingModel | undefined;

  constructor(apiUrl: string) {
    this.#apiUrl = apiUrl;
  }

  /** Loads the model's file and completes the configuration. Returns the answer for the server. */
  async load(payload: LoadPayload): Promise<{ config: ModelConfig | null; openShapes: boolean }> {
    this.#loadArgs = payload;
    const { modelConfig, typescriptBased, modelRepository, backendDirectory } = payload;
    const modelDir = this.#modelDir(payload);
    this.#loaded = await loadModel({
      versionDir: typescriptBased ? backendDirectory : modelDir,
      modelDir: modelRepository,
      repositoryDir: dirname(modelRepository),
      backendDir: backendDirectory,
      filename: typescriptBased ? undefined : modelConfig.default_model_filename,
      anyLoader: backendFlag(payload, "allow-node-path"),
      loader: typescriptBased ? undefined : modelParameter(modelConfig, "LOADER"),
      typeCheck: !typescriptBased && flag(modelConfig, "TYPE_CHECK"),
      resolvesLinks: typescriptBased,
      apiUrl: this.#apiUrl,
      compileCacheDir: compileCacheFolder(),
    });
    useOpenTelemetryOf(this.#loaded.file);
    const completes = payload.autoComplete && this.#loaded.autoCompleteConfig !== undefined;
    const config = completes ? await this.#autoComplete(payload, modelDir) : null;
    return { config, openShapes: this.#hasOpenShapes() };
  }

  async #autoComplete(payload: LoadPayload, modelDir: string): Promise<ModelConfig> {
    const { modelName, modelVersion, modelRepository, backendConfig, backendDirectory } = payload;
    const args: AutoCompleteArgs = {
      modelName,
      modelVersion,
      modelRepository,
      modelDir,
      backendConfig,
      backendDirectory,
    };
    const config = new AutoCompleteConfig(payload.modelConfig);
    const returned = (await this.#loaded!.autoCompleteConfig!(config, args)) ?? config;
    if (returned instanceof AutoCompleteConfig) return returned.config;
    throw new TritonError(
      `The autoCompleteConfig of model '${modelName}' must return the configuration that it was given, or nothing, ` +
        `but returned ${kindName(returned)}.`,
    );
  }

  #hasOpenShapes(): boolean {
    return this.#loaded!.ModelClass.outputShapes === "open";
  }

  #modelDir(payload: LoadPayload): string {
    return join(payload.modelRepository, payload.modelVersion);
  }

  /** Makes the model and runs its `initialize`. */
  async initialize(
    payload: InitializePayload,
  ): Promise<{ model: TritonModel | StreamingModel; answers: AnswerMaker; strict: boolean }> {
    const load = this.#loadArgs!;
    const { modelConfig, instanceName } = payload;
    const model = new this.#loaded!.ModelClass();
    await model.initialize?.({
      modelName: load.modelName,
      modelVersion: load.modelVersion,
      modelInstanceName: instanceName,
      modelInstanceKind: payload.instanceKind,
      modelInstanceDeviceId: payload.deviceId,
      modelRepository: load.modelRepository,
      modelDir: this.#modelDir(load),
      modelConfig,
      modelConfigJson: JSON.stringify(modelConfig),
      backendConfig: load.backendConfig,
      backendDirectory: load.backendDirectory,
    });
    if (model.isReady !== undefined && typeof model.isReady !== "function") {
      throw new TritonError(
        `The isReady of model '${load.modelName}' must be a method, but is ${kindName(model.isReady)}.`,
        "INVALID_ARG",
      );
    }
    this.#model = model;
    return {
      model,
      answers: new AnswerMaker(instanceName, modelConfig, payload.outputs, {
        file: this.#loaded!.file,
        exposesErrors: payload.exposeErrors,
        checksOutputs: payload.checkOutputs,
        decoupled: isDecoupled(modelConfig),
        openShapes: this.#hasOpenShapes(),
      }),
      strict: flag(modelConfig, "STRICT_VIEWS"),
    };
  }

  async finalize(): Promise<void> {
    await this.#model?.finalize?.();
  }
}
