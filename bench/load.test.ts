// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { between, parseReport, parseStreams, type Totals, totals } from "./load.ts";
import { fakeServer } from "./testing.ts";

const HEAD =
  "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input," +
  "Server Compute Infer,Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency";

test("throughput and latencies are taken from their named columns, and a missing one is named", () => {
  const csv = `${HEAD}\n8,3993.29,1,328,97,0,18,0,0,394,734,862,1288\n`;
  expect(parseReport(csv)).toEqual({ throughput: 3993.29, p50Us: 394, p99Us: 1288 });
  expect(() => parseReport("Concurrency,Inferences/Second\n8,10\n")).toThrow('no figure for "p50 latency"');
  expect(() => parseReport(HEAD)).toThrow('no figure for "Inferences/Second"');
});

test("of a stream the first response and the rate of all are taken, the medians of the requests", () => {
  const request = (...response_timestamps: number[]) => ({ timestamp: 1_000_000, response_timestamps });
  const json = (...requests: object[]) => JSON.stringify({ experiments: [{ requests }] });
  const all = json(request(2e6, 5e6), request(4e6, 9e6, 20e6), request(3e6, 3e6));
  expect(parseStreams(all, 2)).toEqual({ firstUs: 2000, rate: 500 });
  expect(() => parseStreams(json(request(2e6, 5e6), request(2e6)), 2)).toThrow("had 1 responses instead of 2");
  expect(() => parseStreams(json(request(2e6, 3e6, 4e6, 5e6)), 2)).toThrow("had 4 responses");
});

const times = (ns: number, count: number) => ({ ns, count });
const steps = (factor: number, count: number) => ({
  compute_input: times(factor, count),
  compute_infer: times(10 * factor, count),
  compute_output: times(100 * factor, count),
});

test("the statistics are summed over requests and over batches", async () => {
  const stats = {
    name: "any",
    version: "1",
    last_inference: 0,
    inference_count: 9,
    execution_count: 2,
    inference_stats: { success: times(0, 6), fail: times(0, 2), ...steps(3, 6) },
    batch_stats: [
      { batch_size: 1, ...steps(1, 1) },
      { batch_size: 4, ...steps(1, 2) },
    ],
  };
  const saying = (model_stats: unknown[]) => fakeServer(() => ({ body: JSON.stringify({ model_stats }) }));
  const sums = { requests: 6, failures: 2, elements: 9, requestNs: 333, batchNs: 222 };
  expect(await totals(await saying([stats]), "any")).toEqual(sums);
  await expect(totals(await saying([]), "any")).rejects.toThrow("no statistics");
});

const BEFORE: Totals = { requests: 10, failures: 1, elements: 20, requestNs: 1000, batchNs: 500 };

test("times are microseconds, of a request or of an element", () => {
  const after = { requests: 14, failures: 1, elements: 30, requestNs: 41_000, batchNs: 20_500 };
  expect(between(BEFORE, after, 70)).toEqual({ backendUs: 10, batchUs: 2, cpuUs: 7 });
});

test("nothing counts when a request failed or none was answered", () => {
  expect(() => between(BEFORE, BEFORE, 1)).toThrow("0 requests were answered and 0 failed");
  expect(() => between(BEFORE, { ...BEFORE, requests: 11, failures: 2 }, 1)).toThrow("and 1 failed");
});
