// SPDX-License-Identifier: Apache-2.0
// What the tests of calls share: models of a server in memory, and a connection through which they are called.
import { setCaller } from "../../api/caller.ts";
import { TritonError } from "../../api/errors.ts";
import type { InferenceRequestOptions } from "../../api/made_request.ts";
import { InferenceRequest } from "../../api/request.ts";
import type { InferenceResponse } from "../../api/response.ts";
import { Tensor } from "../../api/tensor.ts";
import type { HostCall } from "../memory_calls.ts";
import { TestConnection } from "./received_batch.ts";

/** Long enough for what is sent to arrive, and for what is sent back. */
export const turn = () => new Promise((resolve) => setTimeout(resolve, 2));

export const floats = (name: string, ...values: number[]) =>
  new Tensor(name, Float32Array.from(values), [values.length]);

/** So large that an output of it is not copied. */
export const large = (name: string, value: number) => new Tensor(name, new Float32Array(20_000).fill(value), [20_000]);

export const request = (modelName: string, inputs: readonly Tensor[] = [floats("A", 1, 2)], options: object = {}) =>
  new InferenceRequest({ modelName, inputs, ...options } as InferenceRequestOptions);

export const read = (response: InferenceResponse, name = "A") => Array.from(response.output(name, "FP32").data);

/** A connection whose calls reach models in memory; those of this process, until `close`. */
export class CallingConnection extends TestConnection {
  /** Calls that the model `hold` has got. */
  readonly held: HostCall[];

  constructor(strictViews = false) {
    const held: HostCall[] = [];
    const models = {
      /** Gives its inputs back. */
      echo(call: HostCall) {
        const outputs = call.content.inputs.map(({ name }) => call.input(name));
        call.respond({ outputs, parameters: { model: "echo" } });
      },
      hold(call: HostCall) {
        held.push(call);
      },
      big(call: HostCall) {
        call.respond({ outputs: [large("BIG", 7), floats("SMALL", 1)] });
      },
      odd(call: HostCall) {
        const outputs = [floats("A", 1), floats("A", 2)];
        call.respond({ outputs, parameters: { limit: 0.5 } });
      },
      fail() {
        throw new TritonError("not today", "UNAVAILABLE");
      },
    };
    super({ inputs: ["IN"], outputs: ["OUT"], models }, strictViews);
    this.held = held;
    setCaller(this.connection.calls);
  }

  /** What is left open: bytes of the stub's memory, and calls. */
  async close(): Promise<[number, number]> {
    setCaller(undefined);
    await turn();
    return [this.native.outbound.used, this.host.calls.openCount];
  }
}
