// SPDX-License-Identifier: Apache-2.0
// Asks the server about models, in all ways: who gets a wrong answer fails to load.
import { deepStrictEqual, rejects } from "node:assert";
import { pathToFileURL } from "node:url";
import { type InferenceRequest, models, type TritonModel } from "triton-typescript";

/** Calls that block, which no API has that this server could serve. */
interface Calls {
  callNow(method: string, payload: object): { ready: unknown };
}

async function blockingCalls(): Promise<Calls> {
  const main = pathToFileURL(process.argv[1]!);
  const { theModelServer } = await import(new URL("../api/model_server.js", main).href);
  return theModelServer().calls;
}

const MEGABYTE = 1 << 20;

/** What the server takes of a load: a model named "told" does not load, and the error says it. */
async function loads() {
  await models.load("any");
  const data = new Uint8Array(MEGABYTE).fill(1);
  const files = { "1/model.ts": data, "file:no/bytes": new Uint8Array() };
  const load = models.load("told", { config: { max_batch_size: 3 }, files });
  data.fill(2); // it is copied already
  await rejects(load, {
    code: "INVALID_ARG",
    message: 'config 20 1898 {"max_batch_size":3};file:1/model.ts 1048576 1048576 ;file:no/bytes 0 0 ;',
  });
  await rejects(models.load("told", { config: " {}" }), { message: "config 3 280  {};" });
  // Its memory is free again afterwards, of which there are 8 megabytes.
  for (let i = 0; i < 10; i++) {
    await Promise.all([
      models.load("any", { config: {}, files: { a: data } }),
      rejects(models.load("broken", { config: {}, files: { a: data } })),
    ]);
  }
  await rejects(models.load("any", { config: {}, files: { a: data, large: new Uint8Array(8 * MEGABYTE) } }), {
    code: "UNAVAILABLE",
    message: /^Failed to increase the shared memory pool size: The file 'large' of a model needs 8388608 bytes/,
  });
  for (let i = 0; i < 10; i++) await models.load("any", { config: {}, files: { a: data, b: data, c: data } });
  // More than are sent at once, and others do not wait for them.
  const many = Array.from({ length: 100 }, () => models.load("any"));
  deepStrictEqual(await isReady("ready"), "ready true");
  await Promise.all(many);
}

async function refusals() {
  await rejects(models.load("broken"), { code: "INVALID_ARG", message: "it is broken" });
  await rejects(models.load("refusing"), { code: "UNAVAILABLE", message: "Server not ready" });
  for (const action of [models.load, models.unload]) {
    await rejects(action("polling"), { code: "UNAVAILABLE", message: /--model-control-mode=explicit\.$/ });
  }
}

async function unloads() {
  await models.unload("any");
  await rejects(models.unload("told"), { message: "alone" });
  await rejects(models.unload("told", { unloadDependents: true }), { message: "with dependents" });
  await models.unload("leaving", { wait: true });
  await models.unload("nobody", { wait: true });
}

/** The server waits for the end of an initialize, so nothing in it may wait for the server to do something with the model. */
async function itself(isInitializing: boolean) {
  if (isInitializing) {
    const refused = { code: "INVALID_ARG", message: /^Model 'fake_model' cannot (un)?load itself in its initialize/ };
    await rejects(models.load("fake_model"), refused);
    await rejects(models.unload("fake_model"), refused);
    return;
  }
  await models.load("fake_model");
  await models.unload("fake_model");
  await rejects(models.unload("fake_model", { wait: true }), /cannot wait until it is unloaded itself/);
}

const isReady = (name: string, version?: number) => models.isReady(name, version).then((ready) => `${name} ${ready}`);

export default class Asking implements TritonModel {
  /** Before anything may be awaited. */
  readonly early = models.isReady("ready");

  async initialize() {
    const calls = await blockingCalls();
    const now = (name: string) => calls.callNow("modelReady", { name, version: "-1" }).ready;
    deepStrictEqual([await this.early, now("ready"), now("other")], [true, true, false]);
    // Replies that were on their way before the one that is waited for come afterwards, in order.
    const order: string[] = [];
    const earlier = Array.from({ length: 200 }, (_, i) =>
      isReady(i % 2 === 0 ? "ready" : "other", i % 3 === 0 ? 2 : undefined).then((text) => order.push(`${i} ${text}`)),
    );
    for (let i = 0; i < 100; i++) deepStrictEqual(now("ready"), true);
    deepStrictEqual(order, []);
    await Promise.all(earlier);
    deepStrictEqual(
      order,
      Array.from(earlier, (_, i) => `${i} ${i % 2 === 0 ? "ready true" : "other false"}`),
    );
    await models.isReady("refusing").then(
      () => Promise.reject(new Error("An error of the server did not come.")),
      (error) => deepStrictEqual([error.code, error.message], ["UNAVAILABLE", "Server not ready"]),
    );
    let thrown: unknown;
    try {
      now("refusing");
    } catch (error) {
      thrown = error;
    }
    deepStrictEqual((thrown as { code: string }).code, "UNAVAILABLE");
    await loads();
    await refusals();
    await unloads();
    await itself(true);
  }

  execute(_requests: InferenceRequest[]) {
    return [];
  }

  async finalize() {
    await itself(false);
    deepStrictEqual(await models.isReady("ready", 2), true);
    process.stdout.write("asked until the end\n");
  }
}
