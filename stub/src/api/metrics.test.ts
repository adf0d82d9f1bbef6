// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, expect, test } from "vitest";
import { isDefect, TritonError } from "./errors.ts";
import { setMetricServer } from "./metric_server.ts";
import { MetricFamily, type MetricFamilyOptions } from "./metrics.ts";

let done: unknown[][];
beforeEach(() => {
  done = [];
  setMetricServer({
    makeFamily: (...all) => {
      done.push(["family", ...all]);
      return {
        makeMetric: (...which) => {
          done.push(["metric", ...which]);
          return {
            increment: (by) => done.push(["increment", by]),
            set: (value) => done.push(["set", value]),
            observe: (value) => done.push(["observe", value]),
            value: async () => 42,
            delete: () => done.push(["delete metric"]),
          };
        },
        delete: () => done.push(["delete family"]),
      };
    },
  });
});
afterEach(() => setMetricServer(undefined));

const family = (kind: "counter" | "gauge" | "histogram") => new MetricFamily({ name: "n", description: "d", kind });

test("a family and its metrics", async () => {
  const times = family("histogram");
  const time = times.metric({ a: "b" }, { buckets: [-1, 0, 2.5] });
  time.observe(1);
  const level = family("gauge").metric();
  level.set(-1);
  level.increment();
  level.increment(-2.5);
  expect(await level.value()).toBe(42);
  await time.flush();
  expect(done).toEqual([
    ["family", "histogram", "n", "d"],
    ["metric", { a: "b" }, [-1, 0, 2.5]],
    ["observe", 1],
    ["family", "gauge", "n", "d"],
    ["metric", {}, []],
    ["set", -1],
    ["increment", 1],
    ["increment", -2.5],
  ]);
});

test("the same labels are the same metric, until it is disposed of", () => {
  const counts = family("counter");
  const first = counts.metric({ a: "1", b: "2" });
  expect(counts.metric({ b: "2", a: "1" })).toBe(first);
  expect(counts.metric({ a: "1" })).not.toBe(first);
  first.dispose();
  first.dispose();
  expect(counts.metric({ a: "1", b: "2" })).not.toBe(first);
  expect(done.filter(([what]) => what === "delete metric")).toHaveLength(1);
});

test("labels cannot be changed afterwards", () => {
  const labels = { a: "1" };
  const metric = family("counter").metric(labels);
  labels.a = "2";
  expect(metric.labels).toEqual({ a: "1" });
  expect(Object.isFrozen(metric.labels)).toBe(true);
});

test("what was disposed of does nothing any more", async () => {
  const deleted = "Invalid metric operation as the corresponding 'MetricFamily' has been deleted.";
  const levels = family("gauge");
  const [kept, gone] = [levels.metric({ n: "1" }), levels.metric({ n: "2" })];
  gone[Symbol.dispose]();
  expect(() => gone.set(1)).toThrow("Invalid metric operation as the metric of 'n' was disposed of.");
  await expect(gone.flush()).rejects.toThrow("was disposed of");
  levels[Symbol.dispose]();
  levels.dispose();
  kept.dispose();
  for (const metric of [kept, gone]) {
    expect(() => metric.increment()).toThrow(deleted);
    expect(() => metric.set(1)).toThrow(deleted);
    await expect(metric.value()).rejects.toThrow(deleted);
    await expect(metric.flush()).rejects.toThrow(deleted);
  }
  expect(() => levels.metric()).toThrow(deleted);
  expect(done.map(([what]) => what)).toEqual(["family", "metric", "metric", "delete metric", "delete family"]);
});

test("each kind has its operations", async () => {
  const count = family("counter").metric();
  const level = family("gauge").metric();
  const time = family("histogram").metric({}, { buckets: [] });
  done = [];
  expect(() => count.set(1)).toThrow("TRITONSERVER_METRIC_KIND_COUNTER does not support Set: 'n' is a counter.");
  expect(() => count.observe(1)).toThrow("COUNTER does not support Observe");
  expect(() => count.increment(-0.5)).toThrow(
    "The counter 'n' cannot be incremented by -0.5: TRITONSERVER_METRIC_KIND_COUNTER can only be incremented monotonically",
  );
  expect(() => level.observe(1)).toThrow("GAUGE does not support Observe");
  expect(() => time.increment()).toThrow("HISTOGRAM does not support Increment");
  expect(() => time.set(1)).toThrow("HISTOGRAM does not support Set");
  await expect(time.value()).rejects.toThrow("HISTOGRAM does not support Value");
  count.increment(0);
  expect(done).toEqual([["increment", 0]]);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, "1", 1n, null])("%s is no number for a metric", (value) => {
  const level = family("gauge").metric();
  expect(() => level.set(value as number)).toThrow(/^set\(\) of the gauge 'n' takes a finite number, but got/);
  expect(() => level.increment(value as number)).toThrow(/^increment\(\) of the gauge/);
});

test.each([
  [undefined, "A MetricFamily needs an object of options, but got undefined."],
  [{ description: "d", kind: "gauge" }, "The option 'name' of a MetricFamily must be a string that is not empty"],
  [{ name: "", description: "d", kind: "gauge" }, "but is an empty string."],
  [{ name: "a\0", description: "d", kind: "gauge" }, "without zero characters"],
  [{ name: "n", kind: "gauge" }, "The option 'description' of a MetricFamily must be a string"],
  [{ name: "n", description: "d", kind: "GAUGE" }, "must be 'counter', 'gauge' or 'histogram', but is 'GAUGE'."],
  [
    { name: "n", description: "d", kind: "gauge", unit: "s" },
    "has no option 'unit'. Its options are name, description, kind.",
  ],
])("the options %j are refused", (options, text) => {
  expect(() => new MetricFamily(options as MetricFamilyOptions)).toThrow(text);
  expect(done).toEqual([]);
});

test.each([
  [{ a: 1 }, {}, "The label 'a' of a metric of 'n' must be a string without zero characters, but is 1."],
  [{ a: "\0" }, {}, "The label 'a'"],
  [["a"], {}, "must be an object of strings"],
  [{}, { buckets: [1] }, "The option 'buckets' is for histograms, but 'n' is a gauge."],
  [{}, { bucket: [1] }, "A metric of 'n' has no option 'bucket'. Its option is buckets."],
])("the labels %j with the options %j are refused", (labels, options, text) => {
  expect(() => family("gauge").metric(labels as never, options as never)).toThrow(text);
});

test.each([undefined, [2, 1], [1, 1], [Number.NaN], ["1"], 5, [1, Number.POSITIVE_INFINITY]])(
  "the buckets %j are refused",
  (buckets) => {
    expect(() => family("histogram").metric({}, { buckets: buckets as never })).toThrow(
      "A metric of the histogram 'n' needs the option 'buckets', finite numbers that ascend, such as [0.1, 1, 10]",
    );
  },
);

test("what the server says of a name is told with the name", () => {
  const refusal = (text: string) => (): never => {
    throw new TritonError(text, "INVALID_ARG");
  };
  const server = (text: string) => setMetricServer({ makeFamily: refusal(text) });
  server("Invalid metric name.");
  const message =
    "The metric family 'n' cannot be made: Invalid metric name. It has letters, digits, '_' and ':', and begins with no digit.";
  const expected = { message, code: "INVALID_ARG", cause: expect.any(TritonError) };
  expect(() => family("gauge")).toThrow(expect.objectContaining(expected));
  expect(() => family("gauge")).toThrow(expect.toSatisfy(isDefect));
  server("Other words");
  expect(() => family("gauge")).toThrow(expect.objectContaining({ message: "Other words" }));
  setMetricServer({ makeFamily: () => ({ makeMetric: refusal("Invalid label name"), delete() {} }) });
  expect(() => family("gauge").metric({ "a b": "1" })).toThrow(
    "The metric of 'n' with the label 'a b' cannot be made: Invalid label name. It has letters, digits and '_', begins with",
  );
  expect(() => family("gauge").metric({ "a b": "1", c: "2" })).toThrow("with the labels 'a b', 'c' cannot be made");
});

test("without a server there are none", () => {
  setMetricServer(undefined);
  expect(() => family("gauge")).toThrow("Metrics can be made by a model that is served");
});
