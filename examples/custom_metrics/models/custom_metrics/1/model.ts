// SPDX-License-Identifier: Apache-2.0
import { type InferenceRequest, InferenceResponse, MetricFamily, Tensor, type TritonModel } from "triton-typescript";

export default class CustomMetrics implements TritonModel {
  /** Nanoseconds in all. Their name and labels are what clients of the Python twin look for. */
  readonly latency = new MetricFamily({
    name: "requests_process_latency_ns",
    description: "Cumulative time spent processing requests",
    kind: "counter",
  }).metric({ model: "custom_metrics", version: "1" });

  execute(requests: InferenceRequest[]) {
    const start = process.hrtime.bigint();
    const responses = requests.map((request) => {
      const a = request.input("INPUT0", "FP32");
      const b = request.input("INPUT1", "FP32");
      const sum = a.data.map((x, i) => x + b.data[i]!);
      const difference = a.data.map((x, i) => x - b.data[i]!);
      return new InferenceResponse([new Tensor("OUTPUT0", sum, a.shape), new Tensor("OUTPUT1", difference, a.shape)]);
    });
    this.latency.increment(Number(process.hrtime.bigint() - start));
    return responses;
  }
}
