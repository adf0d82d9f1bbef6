// SPDX-License-Identifier: Apache-2.0
// Which models a server has loaded for whom. Several resources may use one model, in different versions.
import type { GrpcClient, ModelConfig } from "../client/index.ts";
import { ModuleError, moduleError } from "./errors.ts";
import type { Log } from "./log.ts";
import { didYouMean } from "./resemblance.ts";
import { Turns } from "./waiting.ts";

/** One use of a model; undefined for the newest version. */
interface Use {
  readonly version: number | undefined;
}

interface Model {
  readonly uses: Set<Use>;
  /** Loads and unloads of one model, one after the other. */
  readonly turns: Turns;
  /** The versions that were asked for in place of the model's own policy. */
  chosen: readonly number[] | undefined;
}

export interface ModelUse {
  /** Unloads the model when nobody else uses it. */
  release(): Promise<void>;
}

const sorted = (versions: Iterable<number>): number[] => [...new Set(versions)].sort((a, b) => a - b);

/** The error for a model that is in no repository: of that Triton only says that it "failed to poll". */
export async function unknownModel(client: GrpcClient, name: string): Promise<ModuleError | undefined> {
  const index = await client.repositoryIndex().catch(() => undefined);
  const names = index?.map((model) => model.name);
  if (names === undefined || names.includes(name)) return undefined;
  return new ModuleError("NOT_FOUND", `The repository has no model ${JSON.stringify(name)}.${didYouMean(name, names)}`);
}

export class LoadedModels {
  readonly #client: () => GrpcClient;
  readonly #log: Log;
  readonly #models = new Map<string, Model>();

  /** `client`: that of the server as it runs now. */
  constructor(client: () => GrpcClient, log: Log) {
    this.#client = client;
    this.#log = log;
  }

  /** Loads a model, or loads it anew if its files have changed, and gives it when the version is ready. */
  async use(name: string, version: number | undefined): Promise<ModelUse> {
    const model = this.#models.get(name) ?? { uses: new Set(), turns: new Turns(), chosen: undefined };
    this.#models.set(name, model);
    const use: Use = { version };
    return model.turns.next(async () => {
      model.uses.add(use);
      try {
        await this.#load(name, model, use);
      } catch (error) {
        await this.#release(name, model, use);
        throw error;
      }
      return { release: () => model.turns.next(() => this.#release(name, model, use)) };
    });
  }

  /** Loads all models again, into a server that was started again. */
  async reload(client: GrpcClient): Promise<void> {
    const all = [...this.#models].map(async ([name, model]) => {
      if (model.uses.size === 0) return;
      await client.loadModel(name);
      if (model.chosen !== undefined) await this.#choose(client, name, model, model.chosen);
    });
    for (const outcome of await Promise.allSettled(all)) {
      if (outcome.status === "rejected") this.#log.error(`A model is not back: ${moduleError(outcome.reason).message}`);
    }
  }

  async #load(name: string, model: Model, { version }: Use): Promise<void> {
    const client = this.#client();
    const chosen = model.chosen;
    if (chosen !== undefined && version !== undefined && chosen.includes(version)) return;
    // With the model's own policy first: only the server knows a configuration that it completes itself.
    await client.loadModel(name).catch(async (error: unknown) => {
      throw (await unknownModel(client, name)) ?? error;
    });
    if (version === undefined && chosen === undefined) return;
    if (version !== undefined && chosen === undefined && (await client.isModelReady(name, { modelVersion: version })))
      return;
    const { versions } = await client.modelMetadata(name);
    const wanted = [...model.uses].map((use) => use.version).filter((number) => number !== undefined);
    await this.#choose(client, name, model, sorted([...versions.map(Number), ...wanted]));
    if (version === undefined || (await client.isModelReady(name, { modelVersion: version }))) return;
    throw new ModuleError(
      "NOT_FOUND",
      `The model ${JSON.stringify(name)} has no version ${version}: there is no folder of that name, or it cannot be loaded.`,
    );
  }

  async #choose(client: GrpcClient, name: string, model: Model, versions: readonly number[]): Promise<void> {
    const config: ModelConfig = await client.modelConfig(name);
    const policy = { specific: { versions: [...versions] } };
    try {
      await client.loadModel(name, { config: { ...config, version_policy: policy } });
      model.chosen = versions;
    } catch (error) {
      throw new ModuleError(
        "NOT_FOUND",
        `${moduleError(error).message} (versions ${versions.join(", ")} were asked for)`,
        {
          cause: error,
        },
      );
    }
  }

  async #release(name: string, model: Model, use: Use): Promise<void> {
    if (!model.uses.delete(use) || model.uses.size > 0) return;
    // The entry stays: whoever wants the model next waits for its turn behind this.
    model.chosen = undefined;
    try {
      // The steps of an ensemble go with it, but for those that somebody uses by themselves.
      await this.#client().unloadModel(name, { unloadDependents: true });
    } catch (error) {
      this.#log.debug(`The model ${name} was not unloaded: ${moduleError(error).message}`);
    }
  }
}
