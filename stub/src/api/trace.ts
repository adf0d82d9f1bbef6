// SPDX-License-Identifier: Apache-2.0

/** Headers of W3C Trace Context by their names in small letters. */
export type TraceContext = Readonly<Record<string, string>>;

let makeTrace: (source: object, context: TraceContext) => Trace;
let readSource: (trace: Trace) => object;
let hasSource: (value: object) => value is Trace;

/**
 * The trace that the server makes of a request. A call of another model takes it as its option `trace`, and is a part of it
 * then.
 */
export class Trace {
  readonly #source: object;
  /**
   * The server's span of this request, as headers: `traceparent`, and `tracestate` where there is one. Pass them on to have
   * what others do appear below that span. Empty when the server writes its traces into a file, which needs none.
   */
  readonly context: TraceContext;

  private constructor(source: object, context: TraceContext) {
    this.#source = source;
    this.context = context;
  }

  static {
    makeTrace = (source, context) => new Trace(source, context);
    readSource = (trace) => trace.#source;
    hasSource = (value): value is Trace => #source in value;
  }
}

/** Whether something is the trace of a request, and not only looks like one. */
export function isTrace(value: unknown): value is Trace {
  return typeof value === "object" && value !== null && hasSource(value);
}

/** Makes the trace that a model sees. `source` is what the runtime knows the traced request by. */
export function traceFromSource(source: object, context: TraceContext): Trace {
  return makeTrace(source, context);
}

/** What the runtime knows the traced request by. */
export function sourceOfTrace(trace: Trace): object {
  return readSource(trace);
}
