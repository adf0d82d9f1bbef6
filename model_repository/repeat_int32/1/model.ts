// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from "node:timers/promises";
import { type InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";

/** The responses go by a sender, while `execute` is over already: the twin of python_backend's example, with its threads as promises. */
export default class Repeat implements TritonModel {
  execute([request]: InferenceRequest[]) {
    // Nobody awaits it: what it throws is logged, and the request is closed with an error when its sender is lost.
    void this.#repeat(request!);
  }

  async #repeat(request: InferenceRequest) {
    const sender = request.responseSender();
    // Inputs stay valid until the sender is closed.
    const values = request.input("IN", "INT32").data;
    const delays = request.input("DELAY", "UINT32").data;
    for (let i = 0; i < values.length && !request.isCancelled; i++) {
      // One delay for all will do.
      await sleep(delays[i] ?? delays.at(-1) ?? 0);
      const out = new Tensor("OUT", Int32Array.of(values[i]!), [1]);
      await sender.send(new InferenceResponse([out, new Tensor("IDX", Uint32Array.of(i), [1])]));
    }
    await sender.close();
  }
}
