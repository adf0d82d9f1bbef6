// SPDX-License-Identifier: Apache-2.0
// Asks the server about models, in all ways: who gets a wrong answer fails to load.
import { deepStrictEqual } from "node:assert";
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
  }

  execute(_requests: InferenceRequest[]) {
    return [];
  }

  async finalize() {
    deepStrictEqual(await models.isReady("ready", 2), true);
    process.stdout.write("asked until the end\n");
  }
}
