// SPDX-License-Identifier: Apache-2.0
// Sends requests to `custom_metrics`, and looks for what they did on the server's /metrics.
//
//   node client.ts [http://localhost:8000] [http://localhost:8002]     (Node 24 or newer runs TypeScript as it is)

import { HttpClient, Tensor } from "triton-typescript/client/http";

const [url = "http://localhost:8000", metricsUrl = "http://localhost:8002"] = process.argv.slice(2);
const METRIC = 'requests_process_latency_ns{model="custom_metrics",version="1"}';

/** The metric; undefined when it is not there. */
async function latencyNs(): Promise<number | undefined> {
  const text = await (await fetch(`${metricsUrl}/metrics`)).text();
  const line = text.split("\n").find((candidate) => candidate.startsWith(METRIC));
  return line === undefined ? undefined : Number(line.slice(METRIC.length));
}

const client = new HttpClient({ url });
const tensor = (name: string, data: number[]) => new Tensor(name, Float32Array.from(data), [4]);
let passed = true;
let before = (await latencyNs()) ?? Number.NaN;
for (let i = 1; i <= 3; i++) {
  const inputs = [tensor("INPUT0", [1, 2, 3, 4]), tensor("INPUT1", [i, i, i, i])];
  const answer = await client.infer("custom_metrics", inputs);
  const [sum, difference] = ["OUTPUT0", "OUTPUT1"].map((name) => answer.output(name, "FP32").data);
  // The answer is here, so the metric has what was added for it.
  const after = (await latencyNs()) ?? Number.NaN;
  console.log(`${sum!.join(" ")} took ${after - before} ns, ${after} ns in all`);
  passed &&= sum!.every((x, k) => x === k + 1 + i) && after > before;
  passed &&= difference!.every((x, k) => x === k + 1 - i);
  before = after;
}
console.log(passed ? "PASS" : `FAIL: wrong outputs, or ${METRIC} did not grow.`);
process.exitCode = passed ? 0 : 1;
