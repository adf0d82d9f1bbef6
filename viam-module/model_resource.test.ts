// SPDX-License-Identifier: Apache-2.0
// A call whose servers end: fake ones, since nobody can say when a real one ends.
import { expect, test } from "vitest";
import { ClientError, type ClientErrorReason, type TritonErrorCode } from "../client/index.ts";
import { readAttributes } from "./attributes.ts";
import type { Hosts } from "./hosts.ts";
import { Log } from "./log.ts";
import { ModelResource } from "./model_resource.ts";
import type { RunningServer, ServerSource } from "./triton_host.ts";

const port = { name: "X", datatype: "FP32", shape: [1] };
const metadata = { name: "m", versions: ["1"], platform: "p", inputs: [], outputs: [port] };
const config = { name: "m", output: [{ name: "X", data_type: "TYPE_FP32", dims: [1] }] };

function ended(reason: ClientErrorReason, code: TritonErrorCode): ClientError {
  return new ClientError(`It was ${reason}.`, code, { reason, host: "h:1" });
}

/** A resource whose calls meet these errors, one server after the other, and how many calls were sent. */
async function resourceOf(
  errors: Error[],
  onSent = () => {},
): Promise<{ resource: ModelResource; sent: () => number }> {
  let sent = 0;
  const client = {
    host: "h:1",
    modelMetadata: async () => metadata,
    modelConfig: async () => config,
    infer: async () => {
      onSent();
      const error = errors[sent++];
      if (error !== undefined) throw error;
      return { outputs: [] };
    },
  };
  const memory = { place: async (tensors: unknown) => ({ tensors, release: () => {} }) };
  const source = {
    // Another server each time.
    running: async () => ({ client, memory, version: "2", pid: 1 }) as unknown as RunningServer,
    use: async () => ({ release: async () => {} }),
    lost: async () => {},
    description: "a fake server",
    restarts: 0,
  } satisfies ServerSource;
  const hosts = { use: () => ({ source, release: () => {} }) } as unknown as Hosts;
  const log = new Log(
    "test",
    () => {},
    () => "error",
  );
  const attributes = readAttributes({ model_name: "m", server_url: "h:1" });
  const resource = await ModelResource.open(attributes, hosts, log, new AbortController().signal);
  return { resource, sent: () => sent };
}

const call = { name: "n", tensors: new Map(), extra: {} };
const limits = { signal: new AbortController().signal, deadline: undefined };

test.each<[ClientErrorReason, TritonErrorCode]>([
  ["CANCELLED", "CANCELLED"],
  ["UNREACHABLE", "UNAVAILABLE"],
])("a call that two servers had, the last one %s, may be sent again by its caller", async (reason, code) => {
  const { resource, sent } = await resourceOf([ended("UNREACHABLE", "UNAVAILABLE"), ended(reason, code)]);
  await expect(resource.infer(call, limits)).rejects.toMatchObject({
    name: "ModuleError",
    status: "UNAVAILABLE",
    message:
      "The Triton server ended while it had this call, and so did the one that was sent it next. The call may be sent again.",
  });
  expect(sent()).toBe(2);
});

test("what the second server answers is told as it is", async () => {
  const answer = ended("ANSWER", "INVALID_ARG");
  const { resource } = await resourceOf([ended("CANCELLED", "CANCELLED"), answer]);
  await expect(resource.infer(call, limits)).rejects.toBe(answer);
});

test("a call that its caller cancels while the second server has it is cancelled", async () => {
  const caller = new AbortController();
  const error = ended("CANCELLED", "CANCELLED");
  let sends = 0;
  const { resource } = await resourceOf([ended("UNREACHABLE", "UNAVAILABLE"), error], () => {
    if (++sends === 2) caller.abort();
  });
  await expect(resource.infer(call, { ...limits, signal: caller.signal })).rejects.toBe(error);
});
