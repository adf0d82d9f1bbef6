// SPDX-License-Identifier: Apache-2.0
import type { AutoCompleteConfig } from "./auto_complete.ts";
import type { TritonError } from "./errors.ts";
import type { ModelConfig } from "./model_config.ts";
import type { InferenceRequest } from "./request.ts";
import type { InferenceResponse } from "./response.ts";

/** What an instance of a model learns about itself. */
export interface InitializeArgs {
  readonly modelName: string;
  readonly modelVersion: string;
  /** The name of this instance, as in the server's log: that of its instance group and a number, such as `add_sub_0`. */
  readonly modelInstanceName: string;
  readonly modelInstanceKind: "CPU" | "GPU" | "MODEL";
  readonly modelInstanceDeviceId: string;
  /** The model's own folder, which holds its `config.pbtxt`. Nothing may be written there. */
  readonly modelRepository: string;
  /** The folder of this version of the model. */
  readonly modelDir: string;
  /** The model's configuration, completed by the server. */
  readonly modelConfig: ModelConfig;
  /** The same configuration as the JSON text that the server gave. */
  readonly modelConfigJson: string;
  /** The backend's options: `--backend-config=typescript,key=value`. */
  readonly backendConfig: Readonly<Record<string, string>>;
  /** The folder of the backend, `backends/typescript` or that of a TypeScript-based backend. */
  readonly backendDirectory: string;
}

/** What `static autoCompleteConfig` learns about the model. */
export interface AutoCompleteArgs {
  readonly modelName: string;
  readonly modelVersion: string;
  /** The model's own folder, which holds its `config.pbtxt`. Nothing may be written there. */
  readonly modelRepository: string;
  /** The folder of this version of the model. */
  readonly modelDir: string;
  readonly backendConfig: Readonly<Record<string, string>>;
  readonly backendDirectory: string;
}

/**
 * One answer for each request, in the order of the requests. Null or undefined only for a request that was rescheduled, or
 * that is answered by its sender.
 */
export type ExecuteResult = readonly (InferenceResponse | TritonError | null | undefined)[];

/**
 * A model. Its class is the default export of the model file, or exported under the name `TritonModel`; it is
 * constructed without arguments, once for each instance.
 */
export interface TritonModel {
  /** Called once, before any request. What it throws fails the load of the model. */
  initialize?(args: InitializeArgs): void | Promise<void>;

  /**
   * Answers a batch of requests.
   *
   * A `TritonError` in the place of a response fails that request alone. What is thrown fails the whole batch: a
   * `TritonError` keeps its code, any other error becomes INTERNAL.
   *
   * With `decoupled: true` it returns nothing: all responses go by `request.responseSender()`. In default mode it may return
   * nothing when the senders of all requests do.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a method that returns nothing has the type void
  execute(requests: InferenceRequest[]): ExecuteResult | void | Promise<ExecuteResult | void>;

  /**
   * Whether the model can serve requests now, for instance whether its database is there. Called when somebody asks the server
   * (`/v2/models/<name>/ready`), if that is Triton 25.12 or newer; at most once at a time. False, anything else than a
   * boolean, an error and no answer within 5 seconds mean that it is not ready. Requests are served all the same.
   */
  isReady?(): boolean | Promise<boolean>;

  /** Called once, when the model is unloaded. */
  finalize?(): void | Promise<void>;
}

/** What a class says about the shapes of its outputs, see `TritonModelClass.outputShapes`. */
export type OutputShapes = "configured" | "open";

/** The responses to one request, in their order; a `TritonError` in the place of one is an error after which more may follow. */
export type StreamResult =
  | Iterable<InferenceResponse | TritonError>
  | AsyncIterable<InferenceResponse | TritonError>
  | Promise<Iterable<InferenceResponse | TritonError> | AsyncIterable<InferenceResponse | TritonError>>;

/**
 * A model that gets one request at a time and gives any number of responses to it; in default mode exactly one. Its class is
 * exported and made like that of a `TritonModel`.
 */
export interface StreamingModel extends Pick<TritonModel, "initialize" | "isReady" | "finalize"> {
  /**
   * Answers a request: a generator (`async *stream(request)` or `*stream(request)`), or a function that returns anything that can be
   * iterated. Several requests are answered side by side on the event loop.
   *
   * What is thrown is sent as the last response: a `TritonError` with its code, any other error as INTERNAL. When the client
   * cancels, the iterator's `return()` is called, so that `finally` runs.
   */
  stream(request: InferenceRequest): StreamResult;
}

/** What the runtime expects of a model's class. */
export interface TritonModelClass {
  new (): TritonModel | StreamingModel;

  /**
   * `"configured"` (also when it is left out): an output that does not fit the `dims` of its configuration is an error of
   * that request. `"open"`: the model alone knows the shapes of its outputs, and `dims` only tell clients what to
   * expect; what is checked is that the first dimension is the request's if the model batches, and the rank of an output
   * with a `reshape`, which the server takes for granted.
   */
  readonly outputShapes?: OutputShapes;

  /**
   * Completes the model's configuration before the model is loaded. It may change the given configuration, or return one.
   * What it throws fails the load of the model.
   */
  autoCompleteConfig?(
    config: AutoCompleteConfig,
    args: AutoCompleteArgs,
    // biome-ignore lint/suspicious/noConfusingVoidType: a method that returns nothing has the type void
  ): void | AutoCompleteConfig | Promise<void | AutoCompleteConfig>;
}
