// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { histogramOf } from "./streams.ts";

test("sum and number of a model's histogram", () => {
  const text = `# TYPE first_seconds histogram
first_seconds_count{model="other",version="1"} 9
first_seconds_count{model="m",model_instance="m_0",version="1"} 4
first_seconds_sum{model="m",model_instance="m_0",version="1"} 0.002
first_seconds_bucket{model="m",model_instance="m_0",version="1",le="0.1"} 4
`;
  expect(histogramOf(text, "first_seconds", "m")).toEqual({ sum: 0.002, count: 4 });
  expect(histogramOf(text, "first_seconds", "nobody")).toEqual({ sum: 0, count: 0 });
});
