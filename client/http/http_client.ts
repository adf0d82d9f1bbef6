// SPDX-License-Identifier: Apache-2.0
import type { ModelConfig } from "../../stub/src/api/model_config.ts";
import { checkParameters, type Parameters } from "../../stub/src/api/parameters.ts";
import type { Tensor } from "../../stub/src/api/tensor.ts";
import { type CallOptions, type ClientOptions, joined } from "../call_options.ts";
import { answered, type CallSubject, ClientError, refused, unreadable } from "../client_error.ts";
import { checkedInfer, type InferOptions, type VersionOptions, versionOf } from "../infer_options.ts";
import type { InferenceResult } from "../inference_result.ts";
import type { SharedMemoryRange, SharedMemoryRegion } from "../memory_place.ts";
import type {
  LoadModelOptions,
  LogSettings,
  ModelMetadata,
  ModelStatistics,
  RepositoryIndexEntry,
  ServerMetadata,
  SharedMemoryStatus,
  TraceSettings,
  UnloadModelOptions,
} from "../server_info.ts";
import { SHAPES, type Shape, shaped } from "./answer_shape.ts";
import { base64 } from "./base64.ts";
import { type Fetch, HttpEndpoint, parsed, type Question } from "./endpoint.ts";
import { eventData } from "./event_stream.ts";
import { inferBody, inferResult, parametersJson } from "./infer_body.ts";

/** How a server is reached over HTTP. */
export interface HttpClientOptions extends ClientOptions {
  /**
   * The base address of the server's HTTP endpoint, such as `http://127.0.0.1:8000`, or host and port alone; in a page also a
   * path of its own server, such as `/triton`, behind which a proxy has the Triton server.
   */
  url: string;
  /** Called in the place of the global `fetch`. */
  fetch?: Fetch | undefined;
}

/** What a request to a model over HTTP may say beside its inputs. */
export interface HttpInferOptions extends InferOptions {
  /**
   * Whether tensors are sent and wanted as bytes (Triton's binary extension), true by default. False sends and wants JSON, which
   * every server of the protocol understands, but FP16 and BF16, which JSON has no form for.
   */
  binary?: boolean | undefined;
}

/** A value of JSON. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };

/** What `generate` may say beside the inputs. */
export interface GenerateOptions extends VersionOptions {
  /** Comes back with the answer, and stands in the server's log. */
  id?: string | undefined;
  /** Named values for the model. */
  parameters?: Parameters | undefined;
}

export interface GenerateStreamOptions extends GenerateOptions {
  /** An error ends the loop: true by default. With false it is an item with `error`, and the stream goes on. */
  throwOnError?: boolean | undefined;
}

/** The outputs of a model by name, beside its name and version: a value, or an array where an output has several. */
export interface GenerateResult {
  readonly model_name: string;
  readonly model_version: string;
  /** In the place of outputs; only in a stream with `throwOnError: false`. */
  readonly error?: string;
  readonly [output: string]: JsonValue | undefined;
}

type Inputs = Readonly<Record<string, JsonValue>>;

/**
 * A Triton server, by its HTTP endpoint, for browsers and Node. Everything that fails rejects with a `ClientError`, which is a
 * `TritonError`.
 */
export class HttpClient {
  /** Where the server is. */
  readonly host: string;
  readonly #endpoint: HttpEndpoint;
  readonly #options: ClientOptions;
  /** Memory that the server has, by the name of its registration. */
  readonly #registered = new Map<string, SharedMemoryRegion>();

  /** @throws TritonError INVALID_ARG when the address is none */
  constructor({ url, fetch, ...options }: HttpClientOptions) {
    this.#endpoint = new HttpEndpoint(url, fetch);
    this.host = this.#endpoint.host;
    this.#options = options;
  }

  /**
   * Sends a request to a model and gives its one response.
   *
   * @param inputs an input that lies in memory that this client registered is not sent: the server reads it there
   */
  async infer(modelName: string, inputs: readonly Tensor[], options: HttpInferOptions = {}): Promise<InferenceResult> {
    const subject = this.#subject(`run model '${modelName}'`, modelName);
    const request = this.#checked(subject, () => checkedInfer(modelName, inputs, options));
    const path = `${this.#modelPath(subject, modelName, options)}/infer`;
    const question = this.#checked(subject, () =>
      inferBody(request, (range) => this.#isRegistered(range), options.binary ?? true),
    );
    const answer = await this.#endpoint.ask(subject, path, question, joined(this.#options, options));
    return inferResult(answer, request, subject);
  }

  /** Asks a model with values of JSON, and gives its one response as such (Triton's `generate`, meant for language models). */
  async generate(modelName: string, inputs: Inputs, options: GenerateOptions = {}): Promise<GenerateResult> {
    const subject = this.#subject(`run model '${modelName}'`, modelName);
    const question = this.#generateQuestion(subject, inputs, options);
    const path = `${this.#modelPath(subject, modelName, options)}/generate`;
    const call = joined(this.#options, options);
    const result = generated(subject, await this.#endpoint.json(subject, path, question, call));
    // Not exactly one response is an error with the status of a success.
    if (isError(result)) throw generateError(subject, result.error);
    return result;
  }

  /**
   * The same for models with any number of responses: `for await (const part of client.generateStream(...))`. The request is
   * sent when the loop begins; leaving the loop closes the connection.
   */
  async *generateStream(
    modelName: string,
    inputs: Inputs,
    options: GenerateStreamOptions = {},
  ): AsyncGenerator<GenerateResult, undefined> {
    const { throwOnError = true } = options;
    const subject = this.#subject(`run model '${modelName}'`, modelName);
    const question = this.#generateQuestion(subject, inputs, options);
    const path = `${this.#modelPath(subject, modelName, options)}/generate_stream`;
    const parts = this.#endpoint.stream(subject, path, question, joined(this.#options, options));
    for await (const data of eventData(subject, parts)) {
      const result = generated(subject, parsed(subject, data));
      if (throwOnError && isError(result)) throw generateError(subject, result.error);
      yield result;
    }
    return undefined;
  }

  /** Whether the server runs; false when nothing answers, too. */
  async isLive(options: CallOptions = {}): Promise<boolean> {
    return await this.#isWell("/v2/health/live", this.#subject("say whether it is live"), options, "UNREACHABLE");
  }

  /** Whether the server takes requests; false when nothing answers, too. */
  async isReady(options: CallOptions = {}): Promise<boolean> {
    return await this.#isWell("/v2/health/ready", this.#subject("say whether it is ready"), options, "UNREACHABLE");
  }

  /** Whether a model, or one version of it, takes requests; false for an unknown one. Rejects when no server answers. */
  async isModelReady(modelName: string, options: VersionOptions = {}): Promise<boolean> {
    const subject = this.#subject(`say whether model '${modelName}' is ready`, modelName);
    return await this.#isWell(`${this.#modelPath(subject, modelName, options)}/ready`, subject, options, undefined);
  }

  /** Name and version of the server, and the extensions of the protocol that it has. */
  async serverMetadata(options: CallOptions = {}): Promise<ServerMetadata> {
    const subject = this.#subject("tell about itself");
    return await this.#told(SHAPES.serverMetadata, subject, "/v2", undefined, options);
  }

  /** Inputs, outputs and versions of a model. */
  async modelMetadata(modelName: string, options: VersionOptions = {}): Promise<ModelMetadata> {
    const subject = this.#subject(`tell about model '${modelName}'`, modelName);
    const path = this.#modelPath(subject, modelName, options);
    return await this.#told(SHAPES.modelMetadata, subject, path, undefined, options);
  }

  /** The configuration of a model, completed by the server. */
  async modelConfig(modelName: string, options: VersionOptions = {}): Promise<ModelConfig> {
    const subject = this.#subject(`give the configuration of model '${modelName}'`, modelName);
    const path = `${this.#modelPath(subject, modelName, options)}/config`;
    return await this.#told(SHAPES.modelConfig, subject, path, undefined, options);
  }

  /** What the versions of a model have done since they were loaded; those of all models when none is named. */
  async statistics(modelName = "", options: VersionOptions = {}): Promise<ModelStatistics[]> {
    const isOne = modelName !== "";
    const subject = isOne
      ? this.#subject(`give the statistics of model '${modelName}'`, modelName)
      : this.#subject("give its statistics");
    const path = `${isOne ? this.#modelPath(subject, modelName, options) : "/v2/models"}/stats`;
    type Answer = { model_stats: ModelStatistics[] };
    return (await this.#told<Answer>(SHAPES.statistics, subject, path, undefined, options)).model_stats;
  }

  /** Every model that the server has in its repositories, with the state of each version. */
  async repositoryIndex({
    ready = false,
    ...options
  }: CallOptions & { ready?: boolean } = {}): Promise<RepositoryIndexEntry[]> {
    const subject = this.#subject("list its models");
    return await this.#told(SHAPES.repositoryIndex, subject, "/v2/repository/index", { ready }, options);
  }

  /** Loads a model, or loads it anew; resolves when it is ready. The server must run with explicit model control. */
  async loadModel(
    modelName: string,
    { config, files = {}, ...options }: LoadModelOptions & CallOptions = {},
  ): Promise<void> {
    const subject = this.#subject(`load model '${modelName}'`, modelName);
    const parameters: Record<string, string> = {};
    if (config !== undefined) parameters["config"] = typeof config === "string" ? config : JSON.stringify(config);
    for (const [path, content] of Object.entries(files)) parameters[`file:${path}`] = base64(content);
    const path = `/v2/repository/models/${this.#endpoint.inPath(subject, "model", modelName)}/load`;
    await this.#json(subject, path, { parameters }, options);
  }

  /** Asks for a model to be unloaded. It is gone when `isModelReady` says no more that it is ready. */
  async unloadModel(
    modelName: string,
    { unloadDependents, ...options }: UnloadModelOptions & CallOptions = {},
  ): Promise<void> {
    const subject = this.#subject(`unload model '${modelName}'`, modelName);
    const parameters = unloadDependents === undefined ? {} : { unload_dependents: unloadDependents };
    const path = `/v2/repository/models/${this.#endpoint.inPath(subject, "model", modelName)}/unload`;
    await this.#json(subject, path, { parameters }, options);
  }

  /** The settings of the server's log, after `settings` were changed. */
  async logSettings(settings: LogSettings = {}, options: CallOptions = {}): Promise<LogSettings> {
    const body = Object.keys(settings).length === 0 ? undefined : settings;
    const subject = this.#subject("change its log settings");
    return await this.#told(SHAPES.logSettings, subject, "/v2/logging", body, options);
  }

  /**
   * The settings of traces, after `settings` were changed; a setting of null goes back to its default.
   *
   * @param modelName a model with settings of its own; those of the server when left out
   */
  async traceSettings(
    settings: { readonly [name: string]: string | readonly string[] | null } = {},
    { modelName = "", ...options }: CallOptions & { modelName?: string } = {},
  ): Promise<TraceSettings> {
    const subject = this.#subject("change its trace settings");
    const path = modelName === "" ? "/v2" : this.#modelPath(subject, modelName, {});
    const body = Object.keys(settings).length === 0 ? undefined : settings;
    return await this.#told(SHAPES.traceSettings, subject, `${path}/trace/setting`, body, options);
  }

  /** Has the server map memory of its machine. Tensors in it need not be sent by this client from then on. */
  async registerSystemSharedMemory(memory: SharedMemoryRegion, options: CallOptions = {}): Promise<void> {
    const { name, key, offset = 0, byteSize } = memory;
    const subject = this.#subject(`register the shared memory '${name}'`);
    const path = `/v2/systemsharedmemory/region/${this.#endpoint.inPath(subject, "memory", name)}/register`;
    await this.#json(subject, path, { key, offset, byte_size: byteSize }, options);
    this.#registered.set(name, memory);
  }

  /** Has the server give such memory up; all of it, also that of other clients, when none is named. */
  async unregisterSystemSharedMemory(memory?: SharedMemoryRegion | string, options: CallOptions = {}): Promise<void> {
    const name = typeof memory === "string" ? memory : (memory?.name ?? "");
    // First, so that no request refers to it while it goes.
    if (name === "") this.#registered.clear();
    else this.#registered.delete(name);
    const subject = this.#subject(name === "" ? "give up all shared memory" : `give up the shared memory '${name}'`);
    const region = name === "" ? "" : `/region/${this.#endpoint.inPath(subject, "memory", name)}`;
    await this.#json(subject, `/v2/systemsharedmemory${region}/unregister`, {}, options);
  }

  /** The memory that is registered, by name; one region when it is named. */
  async systemSharedMemoryStatus(name = "", options: CallOptions = {}): Promise<SharedMemoryStatus[]> {
    const subject = this.#subject("tell about its shared memory");
    const region = name === "" ? "" : `/region/${this.#endpoint.inPath(subject, "memory", name)}`;
    const path = `/v2/systemsharedmemory${region}/status`;
    return await this.#told(SHAPES.sharedMemoryStatus, subject, path, undefined, options);
  }

  /** Cancels the calls that are open, and takes no more. */
  close(): void {
    this.#endpoint.close();
  }

  /** What is told of something, as it should look. */
  async #told<T>(
    shape: Shape,
    subject: CallSubject,
    path: string,
    body: object | undefined,
    options: CallOptions,
  ): Promise<T> {
    const told = await this.#json<unknown>(subject, path, body, options);
    if (told === undefined) throw unreadable(subject, "it is empty. Is this the port of the server's metrics?");
    return shaped(subject, told, shape);
  }

  #json<T>(subject: CallSubject, path: string, body: object | undefined, options: CallOptions): Promise<T> {
    const headers = { "Content-Type": "application/json" };
    const question: Question = body === undefined ? {} : { body: JSON.stringify(body), headers };
    return this.#endpoint.json<T>(subject, path, question, joined(this.#options, options));
  }

  #generateQuestion(subject: CallSubject, inputs: Inputs, { id, parameters = {} }: GenerateOptions): Question {
    this.#checked(subject, () => checkParameters("Request", parameters));
    const members = Object.entries(inputs).map(([name, value]) => [name, JSON.stringify(value)] as const);
    const named = new Map<string, string | undefined>([
      ...members,
      ...(id === undefined ? [] : [["id", JSON.stringify(id)] as const]),
    ]);
    const own = parametersJson(parameters);
    if (own !== undefined) named.set("parameters", own);
    const texts = [...named].flatMap(([name, text]) => (text === undefined ? [] : [`${JSON.stringify(name)}:${text}`]));
    return { body: `{${texts.join(",")}}`, headers: { "Content-Type": "application/json" } };
  }

  /** Whether a question is answered with success; an error of the server is a no. */
  async #isWell(
    path: string,
    subject: CallSubject,
    options: CallOptions,
    other: ClientError["reason"] | undefined,
  ): Promise<boolean> {
    try {
      await this.#endpoint.ask(subject, path, {}, joined(this.#options, options));
      return true;
    } catch (error) {
      if (error instanceof ClientError && (error.reason === "ANSWER" || error.reason === other)) return false;
      throw error;
    }
  }

  #modelPath(subject: CallSubject, modelName: string, { modelVersion }: VersionOptions): string {
    const version = this.#checked(subject, () => versionOf(modelVersion));
    const path = `/v2/models/${this.#endpoint.inPath(subject, "model", modelName)}`;
    return version === "" ? path : `${path}/versions/${version}`;
  }

  #subject(task: string, model?: string): CallSubject {
    return { host: this.host, task, model };
  }

  #checked<T>(subject: CallSubject, check: () => T): T {
    try {
      return check();
    } catch (error) {
      throw refused(subject, (error as Error).message, error);
    }
  }

  #isRegistered({ region }: SharedMemoryRange): boolean {
    return this.#registered.get(region.name) === region;
  }
}

/** What is one: the outputs of a model, or an error. @throws ClientError PROTOCOL when it is neither */
function generated(subject: CallSubject, answer: unknown): GenerateResult {
  const result = shaped<Partial<GenerateResult>>(subject, answer, SHAPES.object);
  if (typeof result.model_name === "string" || typeof result.error === "string") return result as GenerateResult;
  throw unreadable(subject, "it is not the answer of a model.");
}

/** An answer that has an error and nothing else. */
function isError(result: GenerateResult): result is GenerateResult & { error: string } {
  return typeof result.error === "string" && result.model_name === undefined;
}

function generateError(subject: CallSubject, serverMessage: string): ClientError {
  return answered(subject, { code: "UNKNOWN", status: "an error", serverMessage });
}
