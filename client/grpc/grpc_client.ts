// SPDX-License-Identifier: Apache-2.0
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { ChannelOptions } from "@grpc/grpc-js";
import {
  GRPCInferenceService,
  ModelMetadataResponseSchema,
  ModelStatisticsResponseSchema,
  type ModelStreamInferResponse,
  ServerMetadataResponseSchema,
  SystemSharedMemoryStatusResponseSchema,
} from "../../proto/gen/inference/grpc_service_pb.ts";
import { ModelConfigSchema } from "../../proto/gen/inference/model_config_pb.ts";
import { type GrpcMethod, serviceDefinition } from "../../proto/service_definition.ts";
import type { ModelConfig } from "../../stub/src/api/model_config.ts";
import type { Tensor } from "../../stub/src/api/tensor.ts";
import { type CallOptions, type ClientOptions, joined } from "../call_options.ts";
import { answered, type CallSubject, ClientError, refused, unreadable } from "../client_error.ts";
import {
  type CheckedInfer,
  checkedInfer,
  type InferOptions,
  type StreamOptions,
  type VersionOptions,
  versionOf,
} from "../infer_options.ts";
import { InferenceResult } from "../inference_result.ts";
import { InferenceStream } from "../inference_stream.ts";
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
import { GrpcChannel } from "./channel.ts";
import { endpointOf, type TlsOptions } from "./endpoint.ts";
import { inferMessage, inferResult } from "./infer_message.ts";
import { inferRequestBytes } from "./infer_writer.ts";
import { messageJson } from "./message_json.ts";
import {
  loadParameters,
  logSettingsFrom,
  logSettingsMessage,
  traceSettingsFrom,
  unloadParameters,
} from "./settings_message.ts";

/** How a server is reached over gRPC. */
export interface GrpcClientOptions extends ClientOptions {
  /**
   * Host and port of the server's gRPC endpoint, such as `127.0.0.1:8001`; 8001 when no port is named. `grpcs://` or
   * `https://` in front encrypts, and `unix:PATH` is a socket of this machine.
   */
  url: string;
  /** Encrypts, and says who is trusted. */
  tls?: TlsOptions | undefined;
  /** Options of grpc-js for the connection, before those that the client sets. */
  channelOptions?: ChannelOptions | undefined;
}

/** What is told of a model in the index. */
const KNOWN = ["name", "version", "state", "reason"] as const;

const generated = serviceDefinition(GRPCInferenceService);
const requestSerialize = inferRequestBytes;
const service: typeof generated = {
  ...generated,
  modelInfer: { ...generated.modelInfer, requestSerialize },
  modelStreamInfer: { ...generated.modelStreamInfer, requestSerialize },
};

/**
 * A Triton server, by its gRPC endpoint. The connection is made when it is needed, made again when it is lost, and shared by
 * all calls. Everything that fails rejects with a `ClientError`, which is a `TritonError`.
 */
export class GrpcClient {
  /** Where the server is. */
  readonly host: string;
  readonly #channel: GrpcChannel;
  readonly #options: ClientOptions;
  /** Memory that the server has, by the name of its registration. */
  readonly #registered = new Map<string, SharedMemoryRegion>();

  /** @throws TritonError INVALID_ARG when the address is none */
  constructor({ url, tls, channelOptions = {}, ...options }: GrpcClientOptions) {
    const endpoint = endpointOf(url, tls);
    this.host = endpoint.host;
    this.#channel = new GrpcChannel(endpoint, channelOptions);
    this.#options = options;
  }

  /**
   * Sends a request to a model and gives its one response.
   *
   * @param inputs an input that lies in memory that this client registered is not sent: the server reads it there
   */
  async infer(modelName: string, inputs: readonly Tensor[], options: InferOptions = {}): Promise<InferenceResult> {
    const subject = this.#subject(`run model '${modelName}'`, modelName);
    const request = this.#checked(subject, () => checkedInfer(modelName, inputs, options));
    const message = inferMessage(request, (range) => this.#isRegistered(range));
    const response = await this.#channel.unary(service.modelInfer, message, subject, joined(this.#options, options));
    return inferResult(response, request, subject);
  }

  /**
   * The responses of a model to one request: `for await (const response of client.stream(...))`. Works for every model, and
   * is the way to ask decoupled ones. The request is sent when the loop begins; leaving the loop cancels it.
   *
   * @throws ClientError INVALID_ARG when the request cannot be sent as it is
   */
  stream(modelName: string, inputs: readonly Tensor[], options: StreamOptions = {}): InferenceStream {
    const subject = this.#subject(`run model '${modelName}'`, modelName);
    const request = this.#checked(subject, () => checkedInfer(modelName, inputs, options));
    return new InferenceStream((cancelled) => this.#stream(subject, request, options, cancelled));
  }

  async *#stream(
    subject: CallSubject,
    request: CheckedInfer,
    options: StreamOptions,
    cancelled: AbortSignal,
  ): AsyncGenerator<InferenceResult, undefined> {
    const { throwOnError = true } = options;
    const call = joined(this.#options, options);
    const signal = call.signal === undefined ? cancelled : AbortSignal.any([call.signal, cancelled]);
    const message = inferMessage(request, (range) => this.#isRegistered(range));
    for await (const part of this.#channel.stream(service.modelStreamInfer, message, subject, {
      ...call,
      signal,
    })) {
      const result = streamItem(part, request, subject);
      if (result.error !== undefined && throwOnError) throw result.error;
      yield result;
    }
    return undefined;
  }

  /** Whether the server runs; false when nothing answers, too. */
  async isLive(options: CallOptions = {}): Promise<boolean> {
    return await falseWhere("UNREACHABLE", async () => {
      return (await this.#ask(service.serverLive, {}, this.#subject("say whether it is live"), options)).live;
    });
  }

  /** Whether the server takes requests; false when nothing answers, too. */
  async isReady(options: CallOptions = {}): Promise<boolean> {
    return await falseWhere("UNREACHABLE", async () => {
      return (await this.#ask(service.serverReady, {}, this.#subject("say whether it is ready"), options)).ready;
    });
  }

  /** Whether a model, or one version of it, takes requests; false for an unknown one. Rejects when no server answers. */
  async isModelReady(modelName: string, options: VersionOptions = {}): Promise<boolean> {
    const subject = this.#subject(`say whether model '${modelName}' is ready`, modelName);
    const message = { name: modelName, version: this.#version(subject, options) };
    try {
      return (await this.#ask(service.modelReady, message, subject, options)).ready;
    } catch (error) {
      if (error instanceof ClientError && error.reason === "ANSWER" && /^(NOT_FOUND|UNAVAILABLE)$/.test(error.code)) {
        return false;
      }
      throw error;
    }
  }

  /** Name and version of the server, and the extensions of the protocol that it has. */
  async serverMetadata(options: CallOptions = {}): Promise<ServerMetadata> {
    const answer = await this.#ask(service.serverMetadata, {}, this.#subject("tell about itself"), options);
    return messageJson(ServerMetadataResponseSchema, answer);
  }

  /** Inputs, outputs and versions of a model. */
  async modelMetadata(modelName: string, options: VersionOptions = {}): Promise<ModelMetadata> {
    const subject = this.#subject(`tell about model '${modelName}'`, modelName);
    const message = { name: modelName, version: this.#version(subject, options) };
    return messageJson(ModelMetadataResponseSchema, await this.#ask(service.modelMetadata, message, subject, options));
  }

  /** The configuration of a model, completed by the server. What has no value has its default. */
  async modelConfig(modelName: string, options: VersionOptions = {}): Promise<ModelConfig> {
    const subject = this.#subject(`give the configuration of model '${modelName}'`, modelName);
    const message = { name: modelName, version: this.#version(subject, options) };
    const { config } = await this.#ask(service.modelConfig, message, subject, options);
    if (config === undefined) throw unreadable(subject, "there is no configuration in it.");
    return messageJson(ModelConfigSchema, config);
  }

  /** What the versions of a model have done since they were loaded; those of all models when none is named. */
  async statistics(modelName = "", options: VersionOptions = {}): Promise<ModelStatistics[]> {
    const subject =
      modelName === ""
        ? this.#subject("give its statistics")
        : this.#subject(`give the statistics of model '${modelName}'`, modelName);
    const message = { name: modelName, version: this.#version(subject, options) };
    const answer = await this.#ask(service.modelStatistics, message, subject, options);
    return messageJson<DescMessage, { model_stats: ModelStatistics[] }>(ModelStatisticsResponseSchema, answer)
      .model_stats;
  }

  /** Every model that the server has in its repositories, with the state of each version. */
  async repositoryIndex({
    ready = false,
    ...options
  }: CallOptions & { ready?: boolean } = {}): Promise<RepositoryIndexEntry[]> {
    const answer = await this.#ask(service.repositoryIndex, { ready }, this.#subject("list its models"), options);
    // What is not known is left out, as over HTTP.
    return answer.models.map((entry) =>
      Object.fromEntries(KNOWN.map((key) => [key, entry[key]]).filter(([, text]) => text !== "")),
    ) as unknown as RepositoryIndexEntry[];
  }

  /** Loads a model, or loads it anew; resolves when it is ready. The server must run with explicit model control. */
  async loadModel(
    modelName: string,
    { config, files, ...options }: LoadModelOptions & CallOptions = {},
  ): Promise<void> {
    const subject = this.#subject(`load model '${modelName}'`, modelName);
    const message = { modelName, parameters: loadParameters(config, files) };
    await this.#ask(service.repositoryModelLoad, message, subject, options);
  }

  /** Asks for a model to be unloaded. It is gone when `isModelReady` says no more that it is ready. */
  async unloadModel(
    modelName: string,
    { unloadDependents, ...options }: UnloadModelOptions & CallOptions = {},
  ): Promise<void> {
    const subject = this.#subject(`unload model '${modelName}'`, modelName);
    const parameters = unloadParameters(unloadDependents);
    await this.#ask(service.repositoryModelUnload, { modelName, parameters }, subject, options);
  }

  /** The settings of the server's log, after `settings` were changed. */
  async logSettings(settings: LogSettings = {}, options: CallOptions = {}): Promise<LogSettings> {
    const subject = this.#subject("change its log settings");
    const message = this.#checked(subject, () => logSettingsMessage(settings));
    return logSettingsFrom(await this.#ask(service.logSettings, message, subject, options));
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
    const values = Object.entries(settings).map(
      ([name, value]) => [name, { value: value === null ? [] : [value].flat() }] as const,
    );
    const message = { modelName, settings: Object.fromEntries(values) };
    return traceSettingsFrom(await this.#ask(service.traceSetting, message, subject, options));
  }

  /** Has the server map memory of this machine. Tensors in it need not be sent by this client from then on. */
  async registerSystemSharedMemory(memory: SharedMemoryRegion, options: CallOptions = {}): Promise<void> {
    const { name, key, offset = 0, byteSize } = memory;
    const message = { name, key, offset: BigInt(offset), byteSize: BigInt(byteSize) };
    const subject = this.#subject(`register the shared memory '${name}'`);
    await this.#ask(service.systemSharedMemoryRegister, message, subject, options);
    this.#registered.set(name, memory);
  }

  /** Has the server give such memory up; all of it, also that of other clients, when none is named. */
  async unregisterSystemSharedMemory(memory?: SharedMemoryRegion | string, options: CallOptions = {}): Promise<void> {
    const name = typeof memory === "string" ? memory : (memory?.name ?? "");
    // First, so that no request refers to it while it goes.
    if (name === "") this.#registered.clear();
    else this.#registered.delete(name);
    const subject = this.#subject(name === "" ? "give up all shared memory" : `give up the shared memory '${name}'`);
    await this.#ask(service.systemSharedMemoryUnregister, { name }, subject, options);
  }

  /** The memory that is registered, by name; one region when it is named. */
  async systemSharedMemoryStatus(name = "", options: CallOptions = {}): Promise<SharedMemoryStatus[]> {
    const answer = await this.#ask(
      service.systemSharedMemoryStatus,
      { name },
      this.#subject("tell about its shared memory"),
      options,
    );
    const { regions } = messageJson<DescMessage, { regions: Record<string, SharedMemoryStatus> }>(
      SystemSharedMemoryStatusResponseSchema,
      answer,
    );
    return Object.values(regions);
  }

  /** Closes the connection; calls that are open are cancelled. */
  close(): void {
    this.#channel.close();
  }

  /** `using client = new GrpcClient(...)` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  #ask<M extends DescMethodUnary>(
    method: GrpcMethod<M>,
    message: MessageInitShape<M["input"]>,
    subject: CallSubject,
    options: CallOptions,
  ): Promise<MessageShape<M["output"]>> {
    return this.#channel.unary(method, message, subject, joined(this.#options, options));
  }

  #subject(task: string, model?: string): CallSubject {
    return { host: this.host, task, model };
  }

  #version(subject: CallSubject, { modelVersion }: VersionOptions): string {
    return this.#checked(subject, () => versionOf(modelVersion));
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

async function falseWhere(reason: ClientError["reason"], ask: () => Promise<boolean>): Promise<boolean> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ClientError && error.reason === reason) return false;
    throw error;
  }
}

/**
 * A response of a stream. Of an error nothing comes but its text. Servers can be asked for the code (`triton_grpc_error`), but
 * some of them crash when the model goes on after its error.
 */
function streamItem(part: ModelStreamInferResponse, request: CheckedInfer, subject: CallSubject): InferenceResult {
  const { errorMessage, inferResponse } = part;
  if (errorMessage !== "") {
    const { modelName, modelVersion } = request;
    const error = answered(subject, { code: "UNKNOWN", status: "an error", serverMessage: errorMessage });
    return new InferenceResult({
      modelName,
      modelVersion,
      id: inferResponse?.id ?? request.id,
      parameters: {},
      outputs: [],
      error,
    });
  }
  if (inferResponse === undefined) throw unreadable(subject, "a part of the stream is empty.");
  return inferResult(inferResponse, request, subject);
}
