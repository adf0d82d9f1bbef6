// SPDX-License-Identifier: Apache-2.0
// NVIDIA's tritonclient as it comes, with a script of Python a theme: what a user's own client does. The values that a
// theme must find stand in the script.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, expect, inject, test } from "vitest";
import { type ModelSpec, startServer, type TestServer } from "./harness/index.ts";

const script = fileURLToPath(new URL("./python/stock_client.py", import.meta.url));

/**
 * Answers with its input times FACTOR. What the id of a request says is done: "cancelled" and "late" wait until nobody waits
 * for them, "how many" counts these, and "debug" and "info" are logged, and then that it is done.
 */
const WAITER = `
import { InferenceResponse, modelParameter, Tensor } from "triton-typescript";
export default class {
  waiting = 0;
  initialize(args) { this.factor = Number(modelParameter(args.modelConfig, "FACTOR")); }
  execute(requests) { return Promise.all(requests.map((request) => this.answer(request))); }
  async answer(request) {
    if (/^(cancelled|late)/.test(request.id)) await this.untilLeft(request);
    if (request.id.startsWith("debug")) console.debug(request.id);
    if (request.id.startsWith("info")) console.info(request.id);
    if (/^(debug|info)/.test(request.id)) console.error("done: " + request.id);
    const { data, shape } = request.input("IN", "FP32");
    const factor = this.factor;
    const out = request.id === "how many" ? data.map(() => this.waiting) : data.map((x) => x * factor);
    return new InferenceResponse([new Tensor("OUT", out, shape)]);
  }
  async untilLeft(request) {
    this.waiting++;
    // Nobody learns of a client that leaves over HTTP: such a request ends by itself.
    const limit = AbortSignal.timeout(8000);
    const signal = request.id.includes("HTTP") ? limit : request.signal;
    await new Promise((resolve) => signal.aborted ? resolve() : signal.addEventListener("abort", resolve));
    this.waiting--;
    console.info(request.id + " is left: " + request.isCancelled);
  }
}
`;
const waiter = (name: string, factor: number): ModelSpec => ({
  name,
  config: `
backend: "typescript" max_batch_size: 4
input [ { name: "IN" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [ { name: "OUT" data_type: TYPE_FP32 dims: [ 2 ] } ]
parameters [
  { key: "MAX_IN_FLIGHT_BATCHES" value { string_value: "8" } },
  { key: "FACTOR" value { string_value: "${factor}" } }
]`,
  files: { "1/model.ts": WAITER },
});
const SUMS: ModelSpec = {
  name: "sums",
  config: `
backend: "typescript" max_batch_size: 4
input [ { name: "IN" data_type: TYPE_FP32 dims: [ 1 ] } ]
output [ { name: "SUM" data_type: TYPE_FP32 dims: [ 1 ] } ]
sequence_batching { max_sequence_idle_microseconds: 60000000 direct { } }`,
  files: {
    "1/model.ts": `
import { InferenceResponse, Tensor } from "triton-typescript";
const sums = new Map();
export default class {
  execute(requests) {
    return requests.map((request) => {
      const { correlationId, sequenceStart } = request;
      const sum = (sequenceStart ? 0 : sums.get(correlationId)) + request.input("IN", "FP32").data[0];
      sums.set(correlationId, sum);
      return new InferenceResponse([new Tensor("SUM", Float32Array.of(sum), [1, 1])]);
    });
  }
}`,
  },
};

let server: TestServer;

beforeAll(async () => {
  server = await startServer({
    models: ["counter", waiter("waiter", 1), waiter("scaled", 2), SUMS],
    modelControlMode: "explicit",
    loadModels: ["counter", "waiter", "sums"],
  });
});

async function drive(theme: string, ...more: string[]): Promise<string> {
  const args = [script, theme, server.url.replace("http://", ""), server.grpcUrl, server.metricsUrl, ...more];
  return (await promisify(execFile)(inject("python"), args)).stdout;
}

test.each(["streaming", "timeouts", "sequences", "generate_stream", "model_control", "metrics"])(
  "tritonclient: %s",
  async (theme) => {
    expect(await drive(theme)).toBe(`PASS ${theme}\n`);
  },
);

test("tritonclient: cancel reaches the model, of a request and of a stream", async () => {
  expect(await drive("cancel")).toBe("PASS cancel\n");
  await server.waitForLog("cancelled is left: true");
  await server.waitForLog("counter was cancelled");
});

test("tritonclient: the log settings that a client changes hold at once for what a model logs", async () => {
  const steps: [settings: object, text: string][] = [
    [{}, "debug before"],
    [{ log_verbose_level: 1 }, "debug while verbose"],
    [{ log_verbose_level: 0 }, "debug after"],
    [{ log_info: false }, "info while off"],
    [{ log_info: true }, "info at last"],
  ];
  for (const [settings, text] of steps) {
    expect(await drive("log_settings", JSON.stringify(settings), text)).toBe("PASS log_settings\n");
    await server.waitForLog(`done: ${text}`);
  }
  await server.waitForLog("[waiter_0] info at last");
  const logged = steps.map(([, text]) => text).filter((text) => server.log().includes(`[waiter_0] ${text}`));
  expect(logged).toEqual(["debug while verbose", "info at last"]);
});
