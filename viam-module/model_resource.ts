// SPDX-License-Identifier: Apache-2.0
// One model of a server under the name of one resource of a robot.
import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import { ClientError, type InferenceResult, type Tensor } from "../client/index.ts";
import type { MetadataSchema } from "../proto/gen/viam/service/mlmodel/v1/mlmodel_pb.ts";
import { type Attributes, bytesChoices } from "./attributes.ts";
import { ModuleError, moduleError } from "./errors.ts";
import type { Hosts } from "./hosts.ts";
import { labelsOf } from "./labels.ts";
import type { Log } from "./log.ts";
import { metadataOf } from "./metadata.ts";
import { checkStreaming, contractOf, type ModelContract } from "./model_contract.ts";
import type { ViamTensor } from "./tensor_kind.ts";
import { carriedOutputs, toModel, toViam } from "./tensor_map.ts";
import type { InferCall } from "./tensor_wire.ts";
import type { RunningServer, ServerSource } from "./triton_host.ts";
import { orGivenUp } from "./waiting.ts";

/** How long a call may take, and what gives it up. */
export interface CallLimits {
  readonly signal: AbortSignal;
  /** Milliseconds since 1970; undefined for as long as it takes. */
  readonly deadline: number | undefined;
}

interface Parts {
  readonly attributes: Attributes;
  readonly log: Log;
  readonly source: ServerSource;
  readonly contract: ModelContract;
  readonly metadata: MessageInitShape<typeof MetadataSchema>;
  /** Gives model and server up. */
  readonly release: () => Promise<void>;
}

function requestDeadline(deadline: number | undefined): { deadlineMs?: number } {
  return deadline === undefined ? {} : { deadlineMs: Math.max(1, deadline - Date.now()) };
}

/** Whether the server that had a call has ended. */
function isLost(error: unknown, { signal }: CallLimits): boolean {
  // The host closes the client of a server that has ended, which cancels the calls that have not noticed yet.
  return error instanceof ClientError && /^(UNREACHABLE|CANCELLED)$/.test(error.reason) && !signal.aborted;
}

/** The error for a call that two servers had, one after the other. Its caller did not cancel it. */
function endedAgain(cause: unknown): ModuleError {
  const sentence = "The Triton server ended while it had this call, and so did the one that was sent it next.";
  return new ModuleError("UNAVAILABLE", `${sentence} The call may be sent again.`, { cause });
}

export class ModelResource {
  readonly #parts: Parts;
  readonly #open = new Set<Promise<unknown>>();
  #calls = 0;
  #failures = 0;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Loads the model of these attributes.
   *
   * @throws ModuleError or another error that says why it cannot be had
   */
  static async open(attributes: Attributes, hosts: Hosts, log: Log, signal: AbortSignal): Promise<ModelResource> {
    const { modelName, modelVersion } = attributes;
    const host = hosts.use(attributes, log.level);
    const { source } = host;
    log.debug(`The model ${modelName} is being loaded by ${source.description}.`);
    try {
      await source.running(signal);
      const loading = source.use(modelName, modelVersion);
      const use = await orGivenUp(loading, signal).catch((error: unknown) => {
        // It goes on by itself, and what it gives nobody wants any more.
        loading.then((late) => late.release()).catch(() => undefined);
        throw error;
      });
      const release = () => use.release().finally(() => host.release());
      try {
        return new ModelResource(await describe(attributes, source, log, release));
      } catch (error) {
        await use.release();
        throw error;
      }
    } catch (error) {
      host.release();
      throw error;
    }
  }

  get contract(): ModelContract {
    return this.#parts.contract;
  }

  get metadata(): MessageInitShape<typeof MetadataSchema> {
    return this.#parts.metadata;
  }

  /** Sends the tensors of a call to the model and gives those of its answer. */
  async infer(call: InferCall, limits: CallLimits): Promise<Map<string, ViamTensor>> {
    this.#calls++;
    const work = this.#infer(call, limits);
    this.#open.add(work);
    try {
      return await work;
    } catch (error) {
      this.#failures++;
      const { status, message } = moduleError(error);
      this.#parts.log.debug(`A call failed with ${status}: ${message}`);
      throw error;
    } finally {
      this.#open.delete(work);
    }
  }

  async #infer(call: InferCall, limits: CallLimits): Promise<Map<string, ViamTensor>> {
    const { contract, attributes, source } = this.#parts;
    const asked = bytesChoices.find((choice) => choice === call.extra["bytes_outputs"]);
    const wanted = carriedOutputs(contract, asked ?? attributes.bytesOutputs);
    const { tensors, batchAdded } = toModel(contract, call.tensors);
    const names = wanted.length === contract.outputs.length ? [] : wanted.map(({ modelName }) => modelName);
    const server = await source.running(limits.signal);
    const outputs = await this.#send(server, tensors, names, limits).catch(async (error: unknown) => {
      const retry = await this.#serverAfter(error, server, limits);
      return this.#send(retry, tensors, names, limits).catch((again: unknown) => {
        throw isLost(again, limits) ? endedAgain(again) : again;
      });
    });
    return toViam(wanted, outputs, batchAdded);
  }

  /**
   * The server to send a call to once more, when the one that had it has ended: what that knew is gone, so the call is as new to
   * the next one. Throws for any other error.
   */
  async #serverAfter(error: unknown, server: RunningServer, limits: CallLimits): Promise<RunningServer> {
    const { source } = this.#parts;
    if (!isLost(error, limits)) throw error;
    await source.lost(server);
    const next = await source.running(limits.signal);
    if (next === server) throw error;
    return next;
  }

  async #send(
    { client, memory }: RunningServer,
    tensors: readonly Tensor[],
    requestedOutputs: readonly string[],
    { signal, deadline }: CallLimits,
  ): Promise<readonly Tensor[]> {
    const { contract, attributes } = this.#parts;
    const placed = await memory.place(tensors);
    const options = {
      modelVersion: contract.version,
      requestedOutputs,
      parameters: attributes.modelParameters,
      signal,
      ...requestDeadline(deadline),
    };
    let read = false;
    try {
      const result = contract.decoupled
        ? await firstOf(client.stream(contract.model, placed.tensors, options))
        : await client.infer(contract.model, placed.tensors, options);
      read = !contract.decoupled;
      return result?.outputs ?? [];
    } catch (error) {
      read = error instanceof ClientError && error.reason === "ANSWER";
      throw error;
    } finally {
      placed.release(read);
    }
  }

  /** What GetStatus tells. */
  async status(): Promise<JsonObject> {
    const { contract, source } = this.#parts;
    const server = await source.running(AbortSignal.timeout(1000)).catch(() => undefined);
    return {
      model: contract.model,
      version: contract.version,
      backend: contract.platform,
      streaming: contract.decoupled,
      server: server === undefined ? "not running" : `Triton ${server.version} at ${server.client.host}`,
      server_restarts: source.restarts,
      calls: this.#calls,
      failed_calls: this.#failures,
      calls_in_flight: this.#open.size,
    };
  }

  /** Waits for the calls that are open, for a while, and gives model and server up. */
  async close(patienceMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, patienceMs);
    });
    await Promise.race([Promise.allSettled(this.#open), late]);
    clearTimeout(timer);
    const { contract, log, release } = this.#parts;
    await release();
    log.debug(`The model ${contract.model} was given up.`);
  }
}

/** The first response of a stream that has outputs. Leaving the loop cancels the rest. */
async function firstOf(stream: AsyncIterable<InferenceResult>): Promise<InferenceResult | undefined> {
  for await (const result of stream) if (result.outputs.length > 0) return result;
  throw new ModuleError("INTERNAL", "The model ended its stream without a response.");
}

async function describe(
  attributes: Attributes,
  source: ServerSource,
  log: Log,
  release: () => Promise<void>,
): Promise<Parts> {
  const { modelName, modelVersion, remappings, streaming, bytesOutputs } = attributes;
  const { client, version: serverVersion } = await source.running();
  const which = modelVersion === undefined ? {} : { modelVersion };
  const [metadata, config] = await Promise.all([
    client.modelMetadata(modelName, which),
    client.modelConfig(modelName, which),
  ]).catch((error: unknown) => {
    throw moduleError(error);
  });
  const newest = Math.max(...metadata.versions.map(Number));
  const contract = contractOf(metadata, config, remappings, String(modelVersion ?? newest));
  checkStreaming(contract, streaming);
  if (contract.decoupled)
    log.info(`The model ${modelName} streams: its first response is its answer, the rest is cancelled.`);
  const carried = carriedOutputs(contract, bytesOutputs);
  const texts = contract.outputs.filter((output) => !carried.includes(output)).map(({ name }) => name);
  if (texts.length > 0) {
    log.warning(
      `Viam has no tensors of texts, so these outputs of ${modelName} are left out: ${texts.join(", ")}. ` +
        'The attribute "bytes_outputs": "json" gives them as JSON in tensors of uint8.',
    );
  }
  const labels = labelsOf(attributes, contract);
  return { attributes, log, source, contract, metadata: metadataOf(contract, carried, labels, serverVersion), release };
}
