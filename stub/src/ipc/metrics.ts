// SPDX-License-Identifier: Apache-2.0
import { TritonError } from "../api/errors.ts";
import {
  METRIC_KINDS,
  type MetricKind,
  type MetricServer,
  type ServedFamily,
  type ServedMetric,
} from "../api/metric_server.ts";
import * as L from "../protocol/layout.gen.ts";
import type { Entry, Owner } from "./entries.ts";
import type { ShimCalls } from "./shim_calls.ts";

/** What metrics need of the connection. */
export interface MetricSettings {
  /** Makes families and metrics in the server, and waits until they are there. */
  readonly calls: Pick<ShimCalls, "callNow">;
  /** Adds a METRIC entry before those that are added later. */
  add(flags: number, owner: Owner, value: number): void;
  /** Sends what was added. */
  send(): void;
  /** Sends what was added, and blocks until the server has read it, or for so long. */
  untilRead(limitMs: number): void;
  /** Nothing can be sent any more. */
  onBroken(error: unknown): void;
  /** The first question waits for its answer, or the last one is answered. */
  onUse(isInUse: boolean): void;
}

/** A server that reads nothing for so long has other troubles than a metric that keeps its value. */
const MAX_WAIT_MS = 2000;

/** Observations of one metric that wait for the end of a turn; more go at once. */
const MAX_OBSERVATIONS = 256;

interface Question {
  readonly metric: Metric;
  readonly resolve: (value: number) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The metrics that this process has in the server. What is done to a counter or a gauge is added up, and goes at the end of the
 * turn, or before the next response: a loop of a thousand increments is one entry.
 */
export class Metrics implements MetricServer {
  readonly #settings: MetricSettings;
  /** Those with something that is not sent. */
  #changed: Metric[] = [];
  /** Questions in their order: those that were sent, and those that wait for room for their answers. */
  readonly #asked: Question[] = [];
  readonly #waiting: Question[] = [];
  #isOpen = false;
  #isFlushDue = false;
  /** The server has yet to read that something was deleted, as far as is known. */
  #hasDeleted = false;
  readonly #onMicrotask = (): void => process.nextTick(this.#onTurnEnd);
  readonly #onTurnEnd = (): void => {
    this.#isFlushDue = false;
    this.send();
  };

  constructor(settings: MetricSettings) {
    this.#settings = settings;
  }

  /** From now on the server reads entries: what was done while the model's file was loaded goes with the next. */
  open(): void {
    this.#isOpen = true;
    this.#flushSoon();
  }

  makeFamily(kind: MetricKind, name: string, description: string): ServedFamily {
    const reply = this.#settings.calls.callNow("metricFamily", { kind: METRIC_KINDS.indexOf(kind), name, description });
    return new Family(this, ownerOf(L.TABLE_METRIC_FAMILIES, reply));
  }

  makeMetric(family: Owner, labels: Readonly<Record<string, string>>, buckets: readonly number[]): Metric {
    const { index, generation } = family;
    this.#awaitDeleted();
    const reply = this.#settings.calls.callNow("metric", { index, generation, labels, buckets });
    return new Metric(this, ownerOf(L.TABLE_METRICS, reply));
  }

  /** A call overtakes entries, and the server gives who makes a metric anew the old one with its value, while it is there. */
  #awaitDeleted(): void {
    if (!this.#hasDeleted || !this.#isOpen) return;
    this.#hasDeleted = false;
    this.#guarded(() => this.#settings.untilRead(MAX_WAIT_MS));
  }

  add(flags: number, owner: Owner, value: number): void {
    this.#guarded(() => this.#settings.add(flags, owner, value));
  }

  #guarded(body: () => void): void {
    try {
      body();
    } catch (error) {
      this.#settings.onBroken(error);
    }
  }

  /** This metric has something to be sent. */
  noteChange(metric: Metric): void {
    this.#changed.push(metric);
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#isFlushDue || !this.#isOpen) return;
    this.#isFlushDue = true;
    queueMicrotask(this.#onMicrotask);
  }

  /** Adds what was done to metrics to the entries that are sent next, in front of a response, for instance. */
  flush(): void {
    if (this.#changed.length > 0 && this.#isOpen) {
      const changed = this.#changed;
      this.#changed = [];
      for (const metric of changed) metric.sendChanges();
    }
    if (this.#waiting.length > 0 && this.#isOpen) this.#ask();
  }

  /** Sends what was done to metrics, in front of the answer to a step. */
  send(): void {
    this.flush();
    this.#guarded(() => this.#settings.send());
  }

  /** Deletes a family or a metric; `metrics` go with it. */
  delete(owner: Owner, metrics: Iterable<Metric>): void {
    this.flush();
    for (const metric of metrics) {
      for (const question of this.#waiting.filter((other) => other.metric === metric)) {
        this.#waiting.splice(this.#waiting.indexOf(question), 1);
        question.reject(new TritonError("The metric was disposed of before its value was known."));
      }
      this.#changed = this.#changed.filter((other) => other !== metric);
    }
    this.#noteUse();
    this.add(L.METRIC_DELETE, owner, 0);
    this.#hasDeleted = true;
    this.#flushSoon();
  }

  ask(metric: Metric): Promise<number> {
    if (this.#asked.length + this.#waiting.length === 0) this.#settings.onUse(true);
    const answer = new Promise<number>((resolve, reject) => this.#waiting.push({ metric, resolve, reject }));
    this.#flushSoon();
    return answer;
  }

  #ask(): void {
    while (this.#asked.length < L.MAX_METRIC_ASKS) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#asked.push(next);
      this.add(L.METRIC_ASK, next.metric.owner, 0);
    }
  }

  /** The answer to the oldest question has come. Throws when it is to another one. */
  onValue(entry: Entry): void {
    const question = this.#asked.shift();
    const owner = question?.metric.owner;
    if (question === undefined || owner!.index !== entry.index || owner!.generation !== entry.generation) {
      throw new Error(`The server told the value of metric ${entry.index}, which is not what was asked for.`);
    }
    if ((entry.flags & L.METRIC_VALUE_FAILED) === 0) question.resolve(entry.value);
    else question.reject(new TritonError("The server does not tell the value of the metric; its log says why."));
    if (this.#waiting.length > 0) this.#flushSoon();
    this.#noteUse();
  }

  #noteUse(): void {
    if (this.#asked.length + this.#waiting.length === 0) this.#settings.onUse(false);
  }
}

class Family implements ServedFamily {
  readonly owner: Owner;
  readonly #metrics: Metrics;
  readonly #made = new Set<Metric>();

  constructor(metrics: Metrics, owner: Owner) {
    this.#metrics = metrics;
    this.owner = owner;
  }

  makeMetric(labels: Readonly<Record<string, string>>, buckets: readonly number[]): ServedMetric {
    const metric = this.#metrics.makeMetric(this.owner, labels, buckets);
    metric.onDelete = () => this.#made.delete(metric);
    this.#made.add(metric);
    return metric;
  }

  delete(): void {
    this.#metrics.delete(this.owner, this.#made);
  }
}

class Metric implements ServedMetric {
  readonly owner: Owner;
  onDelete: (() => void) | undefined;
  readonly #metrics: Metrics;
  #isChanged = false;
  /** What it was set to, and what came to that or to what it was. */
  #setTo: number | undefined;
  #by = 0;
  #observed: number[] = [];

  constructor(metrics: Metrics, owner: Owner) {
    this.#metrics = metrics;
    this.owner = owner;
  }

  increment(by: number): void {
    // The server takes finite numbers only.
    this.#by = Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, this.#by + by));
    this.#noteChange();
  }

  set(value: number): void {
    this.#setTo = value;
    this.#by = 0;
    this.#noteChange();
  }

  observe(value: number): void {
    this.#observed.push(value);
    this.#noteChange();
    if (this.#observed.length === MAX_OBSERVATIONS) this.#metrics.flush();
  }

  #noteChange(): void {
    if (this.#isChanged) return;
    this.#isChanged = true;
    this.#metrics.noteChange(this);
  }

  sendChanges(): void {
    this.#isChanged = false;
    if (this.#setTo !== undefined) this.#metrics.add(L.METRIC_SET, this.owner, this.#setTo);
    if (this.#by !== 0) this.#metrics.add(L.METRIC_INCREMENT, this.owner, this.#by);
    for (const value of this.#observed) this.#metrics.add(L.METRIC_OBSERVE, this.owner, value);
    this.#setTo = undefined;
    this.#by = 0;
    this.#observed = [];
  }

  value(): Promise<number> {
    return this.#metrics.ask(this);
  }

  delete(): void {
    this.#metrics.delete(this.owner, [this]);
    this.onDelete?.();
  }
}

function ownerOf(
  table: number,
  { index, generation }: { readonly index: unknown; readonly generation: unknown },
): Owner {
  return { table, index: index as number, generation: generation as number, item: 0 };
}
