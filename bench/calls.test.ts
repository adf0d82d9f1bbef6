// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { calls } from "./calls.ts";
import { rounds } from "./testing.ts";

/** Latency of one cell by title, and calls a second with 100 and with 1000 in flight. */
function verdictsOn(latencies: Record<string, number>, [few, most]: [number, number] = [1, 1]) {
  const samples = Object.fromEntries(Object.entries(latencies).map(([title, us]) => [title, rounds("p50Us", us)]));
  const many = { label: "", samples: { "100": [{ throughput: few }], "1000": [{ throughput: most }] } };
  return calls.verdicts({ cells: [{ label: "64B x 1", samples }], many });
}

test("the one with several batches in flight is held against the ensemble and against python_backend", () => {
  const others = { "ensemble of the step": 100, python_backend: 200, typescript: 900 };
  const [ensemble, python] = verdictsOn({ ...others, "typescript, 8 batches in flight": 110 });
  expect(ensemble).toMatchObject({ met: true, worst: "1.1 (64B x 1)" });
  expect(python).toMatchObject({ met: false, worst: "0.55 (64B x 1)" });
});

test("a thousand calls in flight are to be no slower than a hundred", () => {
  expect(verdictsOn({}, [10, 10])[2]).toMatchObject({ met: true });
  expect(verdictsOn({}, [10, 9])[2]).toMatchObject({ met: false, worst: "0.9 (one instance)" });
});
