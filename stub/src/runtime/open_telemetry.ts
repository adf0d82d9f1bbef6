// SPDX-License-Identifier: Apache-2.0
// Spans that a model makes itself appear below the server's: the trace of a request is the active context of the
// OpenTelemetry that the model has, if it has one.
import { createRequire } from "node:module";
import type { TraceContext } from "../api/trace.ts";
import { log } from "./logging.ts";
import { oneLine } from "./thrown.ts";

const PACKAGE = "@opentelemetry/api";

/** What is used of the package. */
export interface OpenTelemetryApi {
  readonly ROOT_CONTEXT: unknown;
  readonly context: { active(): unknown; with(context: never, run: () => void): void };
  readonly trace: { setSpanContext(context: never, span: never): unknown };
  createTraceState(header: string): unknown;
}

/** The model's file, from which the package is looked for; undefined until there is one, and once it was looked for. */
let modelFile: string | undefined;
/** The model's, once a request was traced. */
let api: OpenTelemetryApi | undefined;

/** Says where the model's file is, whose OpenTelemetry is looked for when a request is traced for the first time. */
export function useOpenTelemetryOf(file: string): void {
  modelFile = file;
  api = undefined;
}

function findApi(): OpenTelemetryApi | undefined {
  if (api !== undefined || modelFile === undefined) return api;
  try {
    api = createRequire(modelFile)(PACKAGE) as OpenTelemetryApi;
  } catch (error) {
    if ((error as NodeJS.ErrnoException | undefined)?.code !== "MODULE_NOT_FOUND") giveUp(error);
  }
  modelFile = undefined;
  return api;
}

function giveUp(error: unknown): void {
  api = undefined;
  log(
    "W",
    `The model's ${PACKAGE} does not work, so that its spans are no part of the server's traces. ${oneLine(error)}`,
  );
}

/** The span that `traceparent` names, as version 00 of W3C Trace Context writes it; later versions may add to it. */
function spanOf({ traceparent = "", tracestate }: TraceContext, { createTraceState }: OpenTelemetryApi): unknown {
  const [, traceId, spanId, flags] =
    /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/.exec(traceparent) ?? [];
  if (traceId === undefined) return undefined;
  const traceState = tracestate === undefined ? undefined : createTraceState(tracestate);
  return { traceId, spanId, traceFlags: Number.parseInt(flags!, 16), isRemote: true, traceState };
}

/** Whether the model has OpenTelemetry, and a request was traced. */
export function isTracing(): boolean {
  return api !== undefined;
}

/**
 * Runs code of the model, which does not throw, in the context of a trace; undefined: in none. Where the model has no
 * OpenTelemetry, this only runs it.
 */
export function runInTrace(trace: TraceContext | undefined, run: () => void): void {
  const found = trace === undefined ? api : findApi();
  if (found === undefined) {
    run();
    return;
  }
  let hasBegun = false;
  const begin = () => {
    hasBegun = true;
    run();
  };
  try {
    const span = trace === undefined ? undefined : spanOf(trace, found);
    const { ROOT_CONTEXT, context } = found;
    if (span !== undefined)
      context.with(found.trace.setSpanContext(ROOT_CONTEXT as never, span as never) as never, begin);
    else if (context.active() === ROOT_CONTEXT) begin();
    else context.with(ROOT_CONTEXT as never, begin); // what a batch before has left
  } catch (error) {
    giveUp(error);
    if (!hasBegun) run();
  }
}
