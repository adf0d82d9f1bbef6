// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { context, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { isTracing, runInTrace, useOpenTelemetryOf } from "./open_telemetry.ts";

const here = fileURLToPath(import.meta.url);
const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";
const traceparent = `00-${traceId}-${spanId}-01`;

beforeEach(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterEach(() => {
  context.disable();
  vi.restoreAllMocks();
});

/** The span that code of the model is below of in a trace. */
function spanIn(given: Record<string, string> | undefined) {
  const seen: unknown[] = [];
  runInTrace(given, () => {
    seen.push(trace.getSpanContext(context.active()));
  });
  expect(seen).toHaveLength(1); // it ran once
  return seen[0];
}

describe("a model that has OpenTelemetry", () => {
  beforeEach(() => useOpenTelemetryOf(here));

  test("runs below the span of its request, what it awaits as well", async () => {
    expect(isTracing()).toBe(false);
    let later: Promise<unknown> | undefined;
    runInTrace({ traceparent, tracestate: "a=b" }, () => {
      later = Promise.resolve().then(() => trace.getSpanContext(context.active()));
    });
    expect(isTracing()).toBe(true);
    const span = (await later) as { traceState: { serialize(): string } };
    expect(span).toMatchObject({ traceId, spanId, traceFlags: 1, isRemote: true });
    expect(span.traceState.serialize()).toBe("a=b");
    expect(context.active()).toBe(ROOT_CONTEXT);
  });

  test.each([
    [{ traceparent: `00-${traceId}-${spanId}-00` }, 0],
    [{ traceparent: `01-${traceId}-${spanId}-03-more` }, 3],
  ])("of %o takes the flags", (given, traceFlags) => {
    expect(spanIn(given)).toMatchObject({ traceId, spanId, traceFlags });
  });

  test.each<Record<string, string>>([
    {},
    { traceparent: "00-1-2-01" },
    { traceparent: `${traceparent}x` },
    { tracestate: "a=b" },
  ])("runs below no span in %o", (given) => {
    expect(spanIn(given)).toBeUndefined();
  });

  test("runs below no span for a request that is not traced, whatever ran before", () => {
    runInTrace({ traceparent }, () => {
      expect(spanIn(undefined)).toBeUndefined();
    });
  });
});

describe("a package that", () => {
  let folder: string;
  let logged: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "open-telemetry-"));
    logged = "";
    vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      logged += text;
      return true;
    });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function install(code: string | undefined): void {
    const place = join(folder, "node_modules/@opentelemetry/api");
    mkdirSync(place, { recursive: true });
    if (code !== undefined) writeFileSync(join(place, "index.js"), code);
    useOpenTelemetryOf(join(folder, "model.ts"));
  }

  test.each([
    ["is not there", undefined, []],
    ["throws", "throw new Error('broken')", ["broken"]],
    ["is another one", "module.exports = {}", ["Cannot read properties"]],
    [
      "does not run what it is given",
      "exports.trace = { setSpanContext() {} }; exports.context = { with() { throw 'odd'; } };",
      ["odd"],
    ],
  ])("%s does no harm, and is tried and complained of once", (_, code, words) => {
    install(code);
    expect([spanIn({ traceparent }), spanIn({ traceparent }), isTracing()]).toEqual([undefined, undefined, false]);
    const lines = logged.split("\n").filter(Boolean);
    expect(lines).toEqual(words.map((word) => expect.stringMatching(`@opentelemetry/api does not work.*${word}`)));
  });
});
