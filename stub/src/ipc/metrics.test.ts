// SPDX-License-Identifier: Apache-2.0
import { beforeEach, expect, test } from "vitest";
import type { ServedMetric } from "../api/metric_server.ts";
import * as L from "../protocol/layout.gen.ts";
import type { Entry, Owner } from "./entries.ts";
import { Metrics } from "./metrics.ts";
import { failure, TestConnection } from "./testing/received_batch.ts";

const NAMES: Record<number, string> = {
  [L.METRIC_INCREMENT]: "increment",
  [L.METRIC_SET]: "set",
  [L.METRIC_OBSERVE]: "observe",
  [L.METRIC_DELETE]: "delete",
  [L.METRIC_ASK]: "ask",
};
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** What was added: operation, index of the metric or the family, value. */
let added: [string, number, number][];
let sends: number;
let uses: boolean[];
let made: unknown[];
let metrics: Metrics;
beforeEach(() => {
  [added, sends, uses, made] = [[], 0, [], []];
  metrics = new Metrics({
    calls: {
      callNow: ((method: string, payload: object) => {
        made.push([method, payload]);
        return { index: made.length, generation: 7 };
      }) as never,
    },
    add: (flags, owner, value) => added.push([NAMES[flags]!, owner.index, value]),
    send: () => sends++,
    untilRead: () => {
      made.push("read");
    },
    onBroken: (error) => {
      throw error;
    },
    onUse: (isInUse) => uses.push(isInUse),
  });
});

function metric(kind: "counter" | "gauge" | "histogram" = "gauge"): ServedMetric {
  return metrics.makeFamily(kind, "f", "").makeMetric({}, []);
}

function answer(owner: Partial<Owner>, value: number, flags = 0): void {
  metrics.onValue({ generation: 7, ...owner, flags, value } as Entry);
}

test("a family and a metric are made by calls that say everything", () => {
  metrics.makeFamily("histogram", "name", "text").makeMetric({ a: "b" }, [1, 2]);
  expect(made).toEqual([
    ["metricFamily", { kind: 2, name: "name", description: "text" }],
    ["metric", { index: 1, generation: 7, labels: { a: "b" }, buckets: [1, 2] }],
  ]);
});

test("changes of a turn are one entry each, and go at its end", async () => {
  metrics.open();
  const [a, b] = [metric(), metric()];
  for (let i = 0; i < 1000; i++) a.increment(2);
  b.set(5);
  b.increment(1);
  b.set(7);
  b.increment(1);
  b.increment(-3);
  expect(added).toEqual([]);
  await turn();
  expect(added).toEqual([
    ["increment", 2, 2000],
    ["set", 4, 7],
    ["increment", 4, -2],
  ]);
  expect(sends).toBe(1);
  await turn();
  expect(sends).toBe(1);
});

test("observations keep their order, and many go at once", async () => {
  metrics.open();
  const time = metric("histogram");
  for (let i = 0; i < 300; i++) time.observe(i);
  expect(added).toHaveLength(256);
  await turn();
  expect(added.map(([, , value]) => value)).toEqual(Array.from({ length: 300 }, (_, i) => i));
});

test("a metric is made when the server has read what was deleted before", () => {
  metrics.open();
  const family = metrics.makeFamily("gauge", "f", "");
  family.makeMetric({}, []).delete();
  family.makeMetric({}, []);
  family.makeMetric({ a: "b" }, []);
  const order = made.map((one) => (Array.isArray(one) ? one[0] : one));
  expect(order).toEqual(["metricFamily", "metric", "read", "metric", "metric"]);
});

test("while nothing is read nobody waits for it", () => {
  const family = metrics.makeFamily("gauge", "f", "");
  family.makeMetric({}, []).delete();
  family.makeMetric({}, []);
  expect(made).not.toContain("read");
});

test("what adds up to more than a number can be stays one", async () => {
  metrics.open();
  const gauge = metric();
  gauge.increment(Number.MAX_VALUE);
  gauge.increment(Number.MAX_VALUE);
  await turn();
  expect(added).toEqual([["increment", 2, Number.MAX_VALUE]]);
});

test("before the server reads, changes and questions are kept", async () => {
  const gauge = metric();
  gauge.set(3);
  const value = gauge.value();
  metrics.flush();
  await turn();
  expect([added, sends]).toEqual([[], 0]);
  metrics.open();
  await turn();
  expect(added.map(([name]) => name)).toEqual(["set", "ask"]);
  answer({ index: 2 }, 3);
  expect(await value).toBe(3);
});

test("questions are answered in order, and hold the process meanwhile", async () => {
  metrics.open();
  const [a, b] = [metric(), metric()];
  a.increment(1);
  const values = Promise.all([a.value(), b.value(), a.value()]);
  await turn();
  expect(added).toEqual([
    ["increment", 2, 1],
    ["ask", 2, 0],
    ["ask", 4, 0],
    ["ask", 2, 0],
  ]);
  expect(uses).toEqual([true]);
  answer({ index: 2 }, 1);
  answer({ index: 4 }, 2);
  expect(uses).toEqual([true]);
  answer({ index: 2 }, 3);
  expect(uses).toEqual([true, false]);
  expect(await values).toEqual([1, 2, 3]);
});

test("no more questions are open than the server takes", async () => {
  metrics.open();
  const gauge = metric();
  const values = Promise.all(Array.from({ length: L.MAX_METRIC_ASKS + 2 }, () => gauge.value()));
  await turn();
  expect(added).toHaveLength(L.MAX_METRIC_ASKS);
  answer({ index: 2 }, 0);
  await turn();
  expect(added).toHaveLength(L.MAX_METRIC_ASKS + 1);
  for (let i = 1; i < L.MAX_METRIC_ASKS + 1; i++) answer({ index: 2 }, i);
  await turn();
  answer({ index: 2 }, L.MAX_METRIC_ASKS + 1);
  expect(await values).toEqual(Array.from({ length: L.MAX_METRIC_ASKS + 2 }, (_, i) => i));
});

test("an answer to another question is refused, and one that failed rejects", async () => {
  metrics.open();
  const gauge = metric();
  expect(() => answer({ index: 2 }, 0)).toThrow("value of metric 2, which is not what was asked for");
  const value = gauge.value();
  await turn();
  expect(() => answer({ index: 2, generation: 6 }, 0)).toThrow("not what was asked for");
  const second = gauge.value();
  await turn();
  answer({ index: 2 }, 0, L.METRIC_VALUE_FAILED);
  await expect(second).rejects.toThrow("does not tell the value");
  value.catch(() => {});
});

test("deleting comes behind what was done before", async () => {
  metrics.open();
  const family = metrics.makeFamily("gauge", "f", "");
  const [a, b] = [family.makeMetric({}, []), family.makeMetric({ n: "2" }, [])];
  a.set(1);
  const value = a.value();
  a.delete();
  b.increment(2);
  family.delete();
  await turn();
  expect(added).toEqual([
    ["set", 2, 1],
    ["ask", 2, 0],
    ["delete", 2, 0],
    ["increment", 3, 2],
    ["delete", 1, 0],
  ]);
  answer({ index: 2 }, 1);
  expect(await value).toBe(1);
});

test("a question that could not be sent ends with its metric", async () => {
  metrics.open();
  const gauge = metric();
  const sent = Array.from({ length: L.MAX_METRIC_ASKS }, () => gauge.value());
  const late = gauge.value();
  gauge.delete();
  await expect(late).rejects.toThrow("disposed of before its value was known");
  expect(added.at(-1)).toEqual(["delete", 2, 0]);
  for (let i = 0; i < L.MAX_METRIC_ASKS; i++) answer({ index: 2 }, i);
  await Promise.all(sent);
  expect(uses).toEqual([true, false]);
});

test("what cannot be sent breaks the connection", async () => {
  const broken: unknown[] = [];
  metrics = new Metrics({
    calls: { callNow: (() => ({ index: 1, generation: 1 })) as never },
    add: () => {
      throw new Error("no server");
    },
    send: () => {},
    untilRead: () => {},
    onBroken: (error) => broken.push((error as Error).message),
    onUse: () => {},
  });
  metrics.open();
  metric().set(1);
  await turn();
  expect(broken).toEqual(["no server"]);
});

test("a response goes behind what was done before it", () => {
  const there = new TestConnection({ inputs: [], outputs: [] });
  const kinds: [number, number][] = [];
  const host = there.native.server!;
  there.native.server = {
    onEntry: (entry) => {
      kinds.push([entry.kind, entry.value]);
      if (entry.kind !== L.ENTRY_METRIC) host.onEntry(entry);
    },
    onCall: () => '{"index":3,"generation":1}',
  };
  const { connection } = there;
  connection.metrics.open();
  const gauge = connection.metrics.makeFamily("gauge", "f", "").makeMetric({}, []);
  const { batch } = there.receive([{}]);
  gauge.set(1.5);
  there.answer(batch, [failure("no")]);
  const streamed = there.receive([{}]).batch.lives[0]!;
  gauge.set(-2);
  connection.post(streamed, failure("no"), true);
  connection.metrics.flush();
  expect(kinds.filter(([kind]) => kind === L.ENTRY_METRIC)).toEqual([
    [L.ENTRY_METRIC, 1.5],
    [L.ENTRY_METRIC, -2],
  ]);
  expect(kinds.map(([kind]) => kind)).toEqual([L.ENTRY_METRIC, L.ENTRY_RESPONSE, L.ENTRY_METRIC, L.ENTRY_RESPONSE]);
  // The value of a metric does not stay in entries of other kinds.
  expect(kinds[1]![1]).toBe(0);
});
