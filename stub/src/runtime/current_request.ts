// SPDX-License-Identifier: Apache-2.0
import { AsyncLocalStorage } from "node:async_hooks";
import type { Trace } from "../api/trace.ts";
import type { RequestLife } from "../ipc/request_life.ts";
import { isTracing, runInTrace } from "./open_telemetry.ts";

/** For which request the code runs that has been called and has not returned. */
let running: RequestLife | undefined;
/**
 * The same beyond that, in what was begun there: it costs about half a microsecond a batch, so only where calls are made, or
 * requests are traced.
 */
let storage: AsyncLocalStorage<RequestLife | undefined> | undefined;

/**
 * Runs code of the model for a request; for none where it runs for several at once. What it needs may be given as an argument, so
 * that no function is made for each batch.
 */
export function runFor(request: RequestLife | undefined, run: () => void): void;
export function runFor<T>(request: RequestLife | undefined, run: (argument: T) => void, argument: T): void;
export function runFor<T>(request: RequestLife | undefined, run: (argument?: T) => void, argument?: T): void {
  const trace = request?.isTraced ? request.trace : undefined;
  // Calls of a traced request are parts of its trace, also the first one of the process, also after an await.
  if (trace !== undefined) storage ??= new AsyncLocalStorage();
  if (trace === undefined && !isTracing()) runStored(request, run, argument);
  else runTraced(trace, request, run, argument);
}

/** On its own, as it makes a function, which `runFor` shall do for those only that are traced. */
function runTraced<T>(
  trace: Trace | undefined,
  request: RequestLife | undefined,
  run: (argument: T) => void,
  argument: T,
): void {
  runInTrace(trace?.context, () => runStored(request, run, argument));
}

function runStored<T>(request: RequestLife | undefined, run: (argument: T) => void, argument: T): void {
  if (storage !== undefined) {
    storage.run(request, run, argument);
    return;
  }
  running = request;
  try {
    run(argument);
  } finally {
    running = undefined;
    // `currentRequest` was asked for the first time.
    (storage as AsyncLocalStorage<RequestLife | undefined> | undefined)?.enterWith(undefined);
  }
}

/** The request that code of the model runs for. What the first one of a process does after an await is not known. */
export function currentRequest(): RequestLife | undefined {
  if (storage === undefined) {
    storage = new AsyncLocalStorage();
    storage.enterWith(running);
  }
  return storage.getStore();
}
