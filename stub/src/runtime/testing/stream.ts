// SPDX-License-Identifier: Apache-2.0
// A streaming model behind an execute loop, asked at once.
import { expect } from "vitest";
import type { InferenceRequest } from "../../api/request.ts";
import type { HostRequest } from "../../ipc/memory_host.ts";
import { ModelLoop, type ModelLoopOptions } from "./model_loop.ts";
import { settled, shown } from "./responses.ts";

export const decoupled = { decoupled: true };

export function start(
  stream: (request: InferenceRequest) => unknown,
  options: ModelLoopOptions = decoupled,
  requests: readonly HostRequest[] = [{}],
) {
  const loop = new ModelLoop({ stream }, options);
  const sent = loop.host.execute(requests);
  return { loop, sent, first: () => shown(sent.responses[0]!) };
}

/** The responses to one request, once there are no more. */
export async function all(
  stream: (request: InferenceRequest) => unknown,
  options?: ModelLoopOptions,
): Promise<unknown[]> {
  const { loop, sent, first } = start(stream, options);
  await sent.done;
  await settled();
  expect(loop.gaveUp).toEqual([]);
  return first();
}
