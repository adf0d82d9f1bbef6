// SPDX-License-Identifier: Apache-2.0
// Sends requests to `custom_metrics`, and looks for what they did on the server's /metrics.
// No package is needed: Triton speaks plain HTTP, and small tensors fit into JSON.
//
//   node client.ts [http://localhost:8000] [http://localhost:8002]     (Node 24 or newer runs TypeScript as it is)

const [url = "http://localhost:8000", metricsUrl = "http://localhost:8002"] = process.argv.slice(2);
const METRIC = 'requests_process_latency_ns{model="custom_metrics",version="1"}';

interface Answer {
  readonly error?: string;
  readonly outputs: readonly { readonly name: string; readonly data: number[] }[];
}

/** The metric; undefined when it is not there. */
async function latencyNs(): Promise<number | undefined> {
  const text = await (await fetch(`${metricsUrl}/metrics`)).text();
  const line = text.split("\n").find((candidate) => candidate.startsWith(METRIC));
  return line === undefined ? undefined : Number(line.slice(METRIC.length));
}

async function infer(a: number[], b: number[]): Promise<Map<string, number[]>> {
  const tensor = (name: string, data: number[]) => ({ name, datatype: "FP32", shape: [4], data });
  const response = await fetch(`${url}/v2/models/custom_metrics/infer`, {
    method: "POST",
    body: JSON.stringify({ inputs: [tensor("INPUT0", a), tensor("INPUT1", b)] }),
  });
  const { error, outputs } = (await response.json()) as Answer;
  if (error !== undefined) throw new Error(error);
  return new Map(outputs.map(({ name, data }) => [name, data]));
}

let passed = true;
let before = (await latencyNs()) ?? Number.NaN;
for (let i = 1; i <= 3; i++) {
  const outputs = await infer([1, 2, 3, 4], [i, i, i, i]);
  // The answer is here, so the metric has what was added for it.
  const after = (await latencyNs()) ?? Number.NaN;
  console.log(`${outputs.get("OUTPUT0")!.join(" ")} took ${after - before} ns, ${after} ns in all`);
  passed &&= outputs.get("OUTPUT0")!.every((x, k) => x === k + 1 + i) && after > before;
  passed &&= outputs.get("OUTPUT1")!.every((x, k) => x === k + 1 - i);
  before = after;
}
console.log(passed ? "PASS" : `FAIL: wrong outputs, or ${METRIC} did not grow.`);
process.exitCode = passed ? 0 : 1;
