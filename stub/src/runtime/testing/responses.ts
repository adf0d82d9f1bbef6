// SPDX-License-Identifier: Apache-2.0
// Responses with one number, as models of tests send them and as the host of tests gets them.
import { InferenceResponse } from "../../api/response.ts";
import { Tensor } from "../../api/tensor.ts";
import type { HostResponse } from "../../ipc/memory_host.ts";

export const number = (value: number) => new InferenceResponse([new Tensor("OUT", Int32Array.of(value), [1])]);

/** What came in short: the number, the code and text of an error, or "end" for what says only that there is no more; `!` marks the last. */
export function shown(responses: readonly HostResponse[]): unknown[] {
  return responses.map(({ error, outputs, isEmpty, final }) => {
    if (isEmpty) return "end";
    const what = error === undefined ? String(outputs[0]?.tensor.data[0]) : `${error.code} ${error.message}`;
    return final ? `${what}!` : what;
  });
}

/** Lets the model and what it sends have several turns. */
export const settled = (ms = 5) => new Promise<void>((resolve) => setTimeout(resolve, ms));
