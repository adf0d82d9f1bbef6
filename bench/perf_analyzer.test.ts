// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { parseReport } from "./perf_analyzer.ts";

const HEAD =
  "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input," +
  "Server Compute Infer,Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency";

describe("parseReport", () => {
  it("takes throughput and latencies from their named columns", () => {
    const csv = `${HEAD}\n8,3993.29,1,328,97,0,18,0,0,394,734,862,1288\n`;
    expect(parseReport(csv)).toEqual({ throughput: 3993.29, p50Us: 394, p99Us: 1288 });
  });

  it("says which figure is missing", () => {
    expect(() => parseReport("Concurrency,Inferences/Second\n8,10\n")).toThrow('no figure for "p50 latency"');
    expect(() => parseReport(HEAD)).toThrow('no figure for "Inferences/Second"');
  });
});
