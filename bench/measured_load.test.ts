// SPDX-License-Identifier: Apache-2.0
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { between, type Totals, totals } from "./measured_load.ts";

let fake: Server | undefined;
afterEach(() => fake?.close());

async function answering(reply: unknown): Promise<{ httpUrl: string }> {
  fake = createServer((_, response) => response.end(JSON.stringify(reply)));
  await new Promise<void>((resolve) => fake!.listen(0, "127.0.0.1", resolve));
  return { httpUrl: `http://127.0.0.1:${(fake.address() as AddressInfo).port}` };
}

const times = (ns: number, count: number) => ({ ns, count });
const steps = (factor: number, count: number) => ({
  compute_input: times(factor, count),
  compute_infer: times(10 * factor, count),
  compute_output: times(100 * factor, count),
});

test("the statistics are summed over requests and over batches", async () => {
  const stats = {
    inference_count: 9,
    inference_stats: { success: times(0, 6), fail: times(0, 2), ...steps(3, 6) },
    batch_stats: [
      { batch_size: 1, ...steps(1, 1) },
      { batch_size: 4, ...steps(1, 2) },
    ],
  };
  expect(await totals(await answering({ model_stats: [stats] }), "any")).toEqual({
    requests: 6,
    failures: 2,
    elements: 9,
    requestNs: 333,
    batchNs: 222,
  });
  await expect(totals(await answering({ model_stats: [] }), "any")).rejects.toThrow("no statistics");
});

const NOTHING: Totals = { requests: 10, failures: 1, elements: 20, requestNs: 1000, batchNs: 500 };

test("times are microseconds, of a request or of an element", () => {
  const after = { requests: 14, failures: 1, elements: 30, requestNs: 41_000, batchNs: 20_500 };
  expect(between(NOTHING, after, 70)).toEqual({ backendUs: 10, batchUs: 2, cpuUs: 7 });
});

test("nothing counts when a request failed or none was answered", () => {
  expect(() => between(NOTHING, NOTHING, 1)).toThrow("0 requests were answered and 0 failed");
  expect(() => between(NOTHING, { ...NOTHING, requests: 11, failures: 2 }, 1)).toThrow("and 1 failed");
});
