// SPDX-License-Identifier: Apache-2.0
import type { ModelServer } from "../api/model_server.ts";
import type { ShimCalls } from "./shim_calls.ts";

/** What a model asks of the server about other models. */
export class ModelControl implements ModelServer {
  readonly calls: ShimCalls;

  constructor(calls: ShimCalls) {
    this.calls = calls;
  }

  async isReady(name: string, version: string): Promise<boolean> {
    return (await this.calls.call("modelReady", { name, version })).ready === true;
  }
}
