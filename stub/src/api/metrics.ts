// SPDX-License-Identifier: Apache-2.0
import { blamedOnModel, defect, TritonError } from "./errors.ts";
import {
  METRIC_KINDS,
  type MetricKind,
  type ServedFamily,
  type ServedMetric,
  theMetricServer,
} from "./metric_server.ts";
import { checkOptionNames } from "./options.ts";
import { shown } from "./value_words.ts";

/** A family of metrics. */
export interface MetricFamilyOptions {
  /** As Prometheus shows it: letters, digits, `_` and `:`. Names that begin with `nv_` or `triton_typescript_` are taken. */
  name: string;
  /** The HELP text. That of whoever makes the family first stays. */
  description: string;
  kind: MetricKind;
}

export interface MetricOptions {
  /** Upper bounds of the buckets of a histogram, ascending; that of all observations is added to them. */
  buckets?: readonly number[] | undefined;
}

/** Labels by their names. */
export type MetricLabels = Readonly<Record<string, string>>;

const FAMILY_OPTIONS = ["name", "description", "kind"];
const METRIC_OPTIONS = ["buckets"];
const SERVER_KINDS: Readonly<Record<MetricKind, string>> = {
  counter: "TRITONSERVER_METRIC_KIND_COUNTER",
  gauge: "TRITONSERVER_METRIC_KIND_GAUGE",
  histogram: "TRITONSERVER_METRIC_KIND_HISTOGRAM",
};

function checkOptions(what: string, given: unknown, names: readonly string[]): asserts given is object {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw defect(`${what} needs an object of options, but got ${shown(given)}.`);
  }
  checkOptionNames(what, given, names);
}

function textOf(option: string, value: unknown, mayBeEmpty: boolean): string {
  if (typeof value === "string" && (mayBeEmpty || value !== "") && !value.includes("\0")) return value;
  const wanted = mayBeEmpty ? "a string" : "a string that is not empty";
  throw defect(
    `The option '${option}' of a MetricFamily must be ${wanted} and without zero characters, but is ${shown(value)}.`,
  );
}

function kindOf(value: unknown): MetricKind {
  if (METRIC_KINDS.includes(value as MetricKind)) return value as MetricKind;
  throw defect(
    `The option 'kind' of a MetricFamily must be 'counter', 'gauge' or 'histogram', but is ${shown(value)}.`,
  );
}

function labelsOf(family: string, given: unknown): Readonly<Record<string, string>> {
  if (given === undefined) return {};
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw defect(`The labels of a metric of '${family}' must be an object of strings, but are ${shown(given)}.`);
  }
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === "string" && !value.includes("\0") && !name.includes("\0")) continue;
    throw defect(
      `The label '${name}' of a metric of '${family}' must be a string without zero characters, but is ${shown(value)}.`,
    );
  }
  return { ...given } as Record<string, string>;
}

function bucketsOf(family: MetricFamily, given: unknown): readonly number[] {
  if (family.kind !== "histogram") {
    if (given === undefined) return [];
    throw defect(`The option 'buckets' is for histograms, but '${family.name}' is a ${family.kind}.`);
  }
  const isAscending =
    Array.isArray(given) &&
    given.every((bucket, i) => Number.isFinite(bucket) && (i === 0 || (given[i - 1] as number) < (bucket as number)));
  if (isAscending) return given.slice() as number[];
  const shownBuckets = Array.isArray(given) ? `[${given.map(shown).join(", ")}]` : shown(given);
  throw defect(
    `A metric of the histogram '${family.name}' needs the option 'buckets', finite numbers that ascend, such as ` +
      `[0.1, 1, 10], but it is ${shownBuckets}.`,
  );
}

/** Runs what makes something in the server, which does not say which name it refuses. */
function named<T>(what: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof TritonError)) throw error;
    const [refused, kind] = /^Invalid (metric|label) name/.exec(error.message) ?? [];
    if (refused === undefined) throw error;
    const rule =
      kind === "metric"
        ? "It has letters, digits, '_' and ':', and begins with no digit."
        : "It has letters, digits and '_', begins with no digit and not with '__', and is not 'le' in a histogram.";
    throw blamedOnModel(new TritonError(`${what} cannot be made: ${refused}. ${rule}`, error.code, { cause: error }));
  }
}

/**
 * Metrics of one name that the server shows on `/metrics`. All instances and models of the server share it by its name: who
 * makes it once more gets the same one, and metrics with the same labels are the same metric.
 */
export class MetricFamily {
  readonly name: string;
  readonly description: string;
  readonly kind: MetricKind;
  readonly #served: ServedFamily;
  readonly #metrics = new Map<string, Metric>();
  #isDisposed = false;

  /** @throws TritonError when an option is missing or wrong; INVALID_ARG when the server has a family of another kind by this name */
  constructor(options: MetricFamilyOptions) {
    checkOptions("A MetricFamily", options, FAMILY_OPTIONS);
    this.name = textOf("name", options.name, false);
    this.description = textOf("description", options.description, true);
    this.kind = kindOf(options.kind);
    this.#served = named(`The metric family '${this.name}'`, () =>
      theMetricServer().makeFamily(this.kind, this.name, this.description),
    );
  }

  /**
   * The metric with these labels: it is made when there is none, and the same object as long as it is not disposed of.
   * `buckets` must be given for a histogram, and for nothing else; those of the first metric with these labels stay.
   */
  metric(labels: MetricLabels = {}, options: MetricOptions = {}): Metric {
    if (this.#isDisposed) throw deleted();
    const given = labelsOf(this.name, labels);
    checkOptions(`A metric of '${this.name}'`, options, METRIC_OPTIONS);
    const buckets = bucketsOf(this, options.buckets);
    const key = JSON.stringify(Object.entries(given).sort(([a], [b]) => (a < b ? -1 : 1)));
    const known = this.#metrics.get(key);
    if (known !== undefined) return known;
    const names = Object.keys(given).map((name) => `'${name}'`);
    const what = `The metric of '${this.name}' with the ${names.length === 1 ? "label" : "labels"} ${names.join(", ")}`;
    const served = named(what, () => this.#served.makeMetric(given, buckets));
    const metric = new Metric(this, given, served, () => this.#metrics.delete(key));
    this.#metrics.set(key, metric);
    return metric;
  }

  /** Whether it was disposed of. */
  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  /** Gives it up with all of its metrics; `/metrics` shows them no more, unless another instance has them, too. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#metrics.clear();
    this.#served.delete();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** One metric of a family, made by `MetricFamily.metric`. What is done to it is seen before the model's next response. */
export class Metric {
  readonly family: MetricFamily;
  readonly labels: MetricLabels;
  readonly #served: ServedMetric;
  readonly #onDispose: () => void;
  #isDisposed = false;

  /** For `MetricFamily`. */
  constructor(family: MetricFamily, labels: MetricLabels, served: ServedMetric, onDispose: () => void) {
    this.family = family;
    this.labels = Object.freeze(labels);
    this.#served = served;
    this.#onDispose = onDispose;
  }

  /** Adds to a counter or a gauge; only a gauge takes less than 0. */
  increment(by = 1): void {
    this.#check("Increment", this.family.kind !== "histogram");
    this.#checkNumber("increment", by);
    if (by < 0 && this.family.kind === "counter") {
      throw defect(
        `The counter '${this.family.name}' cannot be incremented by ${by}: ${SERVER_KINDS.counter} can only be ` +
          "incremented monotonically by non-negative values.",
      );
    }
    this.#served.increment(by);
  }

  /** Sets a gauge. */
  set(value: number): void {
    this.#check("Set", this.family.kind === "gauge");
    this.#checkNumber("set", value);
    this.#served.set(value);
  }

  /** Adds an observation to a histogram. */
  observe(value: number): void {
    this.#check("Observe", this.family.kind === "histogram");
    this.#checkNumber("observe", value);
    this.#served.observe(value);
  }

  /** Settled when `/metrics` shows what was done before. */
  async flush(): Promise<void> {
    this.#checkAlive();
    await this.#served.value();
  }

  /** What a counter or a gauge is, in all instances together, once all that was done before is done. */
  async value(): Promise<number> {
    this.#check("Value", this.family.kind !== "histogram");
    return await this.#served.value();
  }

  /** Gives it up; `/metrics` shows it no more, unless another instance has it, too. */
  dispose(): void {
    if (this.#isDisposed || this.family.isDisposed) return;
    this.#isDisposed = true;
    this.#onDispose();
    this.#served.delete();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #checkAlive(): void {
    if (this.family.isDisposed) throw deleted();
    if (this.#isDisposed)
      throw defect(`Invalid metric operation as the metric of '${this.family.name}' was disposed of.`);
  }

  #check(operation: string, isAllowed: boolean): void {
    this.#checkAlive();
    if (isAllowed) return;
    const { kind, name } = this.family;
    throw defect(`${SERVER_KINDS[kind]} does not support ${operation}: '${name}' is a ${kind}.`);
  }

  #checkNumber(method: string, value: unknown): void {
    if (Number.isFinite(value)) return;
    throw defect(
      `${method}() of the ${this.family.kind} '${this.family.name}' takes a finite number, but got ${shown(value)}.`,
    );
  }
}

function deleted(): Error {
  return defect("Invalid metric operation as the corresponding 'MetricFamily' has been deleted.");
}
