// SPDX-License-Identifier: Apache-2.0
// What a model gives wrongly to the API is no mistake of the client, who is not told INVALID_ARG.
import { afterEach, beforeEach, expect, type MockInstance, test, vi } from "vitest";
import { TritonError } from "../api/errors.ts";
import { setMetricServer } from "../api/metric_server.ts";
import { MetricFamily } from "../api/metrics.ts";
import { setModelServer } from "../api/model_server.ts";
import { models } from "../api/models.ts";
import { InferenceRequest } from "../api/request.ts";
import { InferenceResponse } from "../api/response.ts";
import { ModelLoop } from "./testing/model_loop.ts";

let write: MockInstance<typeof process.stdout.write>;
beforeEach(() => {
  write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  const served = { increment() {}, set() {}, observe() {}, value: async () => 0, delete() {} };
  setMetricServer({ makeFamily: () => ({ makeMetric: () => served, delete() {} }) });
  setModelServer({ isReady: async () => true, load: async () => {}, unload: async () => {} });
});
afterEach(() => {
  write.mockRestore();
  setMetricServer(undefined);
  setModelServer(undefined);
});

const never = undefined as never;
const wrong = 7 as never;
const call = () => new InferenceRequest({ modelName: "m", inputs: [] });
const family = () => new MetricFamily({ name: "n", description: "", kind: "counter" });

const MISTAKES: [string, (request: InferenceRequest) => unknown][] = [
  ["The argument 'name' of models.load", () => models.load(never)],
  ["models.load knows the options", () => models.load("m", { configuration: {} } as never)],
  ["The argument 'config' of models.load", () => models.load("m", { config: "{" })],
  ["models.load with 'files' needs 'config'", () => models.load("m", { files: { "1/a": "" } })],
  ["The argument 'files' of models.load has the path", () => models.load("m", { config: {}, files: { "../a": "" } })],
  ["The argument 'wait' of models.unload", () => models.unload("m", { wait: wrong })],
  ["The argument 'version' of models.isReady", () => models.isReady("m", 1.5)],
  ["new InferenceRequest() needs an object", () => new InferenceRequest(never)],
  ["The option 'inputs' of an InferenceRequest", () => new InferenceRequest({ modelName: "m", inputs: wrong })],
  [
    "The option 'trace' of an InferenceRequest",
    () => new InferenceRequest({ modelName: "m", inputs: [], trace: wrong }),
  ],
  ["exec() takes an object of options", () => call().exec(wrong)],
  ["stream() has no option 'empty'", () => call().stream({ empty: true } as never)],
  [
    "Write new InferenceResponse(outputs, { error })",
    () => new InferenceResponse([], new TritonError("no", "INVALID_ARG") as never),
  ],
  [
    "send() has no option 'isFinal'",
    (request) => request.responseSender().send(new InferenceResponse(), { isFinal: true } as never),
  ],
  ["A MetricFamily needs an object of options", () => new MetricFamily(never)],
  ["The labels of a metric of 'n'", () => family().metric(wrong)],
  [
    "increment() of the counter 'n'",
    () =>
      family()
        .metric()
        .increment("1" as never),
  ],
  ["request.reschedule() is for models with", (request) => request.reschedule()],
];

test.each(MISTAKES)("%s...", async (sentence, mistake) => {
  let caught: unknown;
  const { host } = new ModelLoop(async ([request]) => {
    try {
      await mistake(request!);
    } catch (error) {
      caught = error;
      throw error;
    }
    return [new InferenceResponse()];
  });
  const sent = host.execute([{}]);
  await sent.done;
  expect(sent.responses[0]).toMatchObject([
    { error: { code: "INTERNAL", message: expect.stringContaining(sentence) } },
  ]);
  expect(caught).toBeInstanceOf(TritonError);
  // The stack, with the model's line.
  expect(write.mock.calls.join("")).toContain(import.meta.filename);
});
