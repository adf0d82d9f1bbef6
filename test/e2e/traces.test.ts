// SPDX-License-Identifier: Apache-2.0
// Traces of a server that sends them to a collector of OpenTelemetry.
import { symlinkSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageRoot } from "../../server/package_root.ts";
import {
  fetchOnce,
  makeRepository,
  type Span,
  startServer,
  type TestServer,
  TraceCollector,
  until,
} from "./harness/index.ts";

interface SeenTrace {
  context?: { traceparent: string };
  answer?: SeenTrace;
}

const config = (more: string) => `
backend: "typescript"
output [ { name: "SEEN", data_type: TYPE_STRING, dims: [ 1 ] } ]
${more}`;

/** Has OpenTelemetry, and says below which spans it is, at once and after something was awaited. */
const SPANS = `
import { setTimeout as sleep } from "node:timers/promises";
import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base";
import { InferenceResponse, Tensor } from "triton-typescript";

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
trace.setGlobalTracerProvider(new BasicTracerProvider());

export async function look(request) {
  const active = trace.getSpanContext(context.active());
  await sleep(1);
  const { parentSpanContext } = trace.getTracer("model").startSpan("work");
  const seen = { context: request.trace?.context, active, parent: parentSpanContext };
  return new InferenceResponse([new Tensor("SEEN", [JSON.stringify(seen)], [1])]);
}
`;
const EXECUTES = `${SPANS}
export default class {
  execute(requests) { return Promise.all(requests.map(look)); }
}`;
const STREAMS = `${SPANS}
export default class {
  async *stream(request) { yield look(request); }
}`;

const collector = new TraceCollector();
let server: TestServer;

beforeAll(async () => {
  const repository = makeRepository([
    "tracer",
    { name: "executes", config: config(""), files: { "1/model.ts": EXECUTES } },
    {
      name: "streams",
      config: config("model_transaction_policy { decoupled: true }"),
      files: { "1/model.ts": STREAMS },
    },
    { name: "untraced", config: config(""), files: { "1/model.ts": EXECUTES } },
  ]);
  symlinkSync(path.join(packageRoot, "node_modules"), path.join(repository, "node_modules"));
  server = await startServer({ repository, args: await collector.open() });
});
afterAll(() => collector.close());

/** Asks a model what it sees: a tracer with the models that it calls one inside the other. */
async function look(model: string, calls: string[] = [], more: { how?: string; traceparent?: string } = {}) {
  const { how, traceparent } = more;
  const inputs = calls.length === 0 ? [] : [{ name: "CALL", datatype: "BYTES", shape: [calls.length], data: calls }];
  const kind = model === "streams" ? "generate_stream" : "infer";
  const reply = await fetchOnce(`${server.url}/v2/models/${model}/${kind}`, {
    method: "POST",
    headers: traceparent === undefined ? {} : { traceparent },
    body: JSON.stringify(kind === "infer" ? { inputs, parameters: how === undefined ? {} : { how } } : {}),
  });
  const text = await reply.text();
  expect(reply.status, text).toBe(200);
  const said = kind === "infer" ? JSON.parse(text).outputs[0].data[0] : JSON.parse(text.replace(/^data: /, "")).SEEN;
  return JSON.parse(said);
}

/** The ids in a header. */
function idsOf(seen: SeenTrace | undefined): { traceId: string; spanId: string } {
  const [, traceId, spanId] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/.exec(seen?.context?.traceparent ?? "") ?? [];
  expect(traceId, JSON.stringify(seen)).toBeDefined();
  return { traceId: traceId!, spanId: spanId! };
}

/** The span of a request, as the server has posted it. */
async function spanOf(seen: SeenTrace | undefined): Promise<Span> {
  const { traceId, spanId } = idsOf(seen);
  const find = () => collector.spans.find((span) => span.spanId === spanId && span.traceId === traceId);
  await until(() => find() !== undefined, `span ${spanId} at the collector`, 60_000, server);
  return find()!;
}

describe("calls of other models", () => {
  test("have spans below the span of the request that they are made for, also when they make calls themselves", async () => {
    const seen = await look("tracer", ["tracer", "tracer"]);
    const [first, second, third] = [await spanOf(seen), await spanOf(seen.answer), await spanOf(seen.answer.answer)];
    expect([first, second, third].map(({ name }) => name)).toEqual(["tracer", "tracer", "tracer"]);
    expect([second.parentSpanId, third.parentSpanId]).toEqual([first.spanId, second.spanId]);
    expect(new Set([first, second, third].map(({ traceId }) => traceId)).size).toBe(1);
  });

  test("have none where the model wants none", async () => {
    const seen = await look("tracer", ["tracer"], { how: "untraced" });
    idsOf(seen);
    expect(seen.answer).toEqual({});
  });
});

test("a client's trace goes on", async () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const seen = await look("tracer", ["tracer"], { traceparent: `00-${traceId}-b7ad6b7169203331-01` });
  expect([idsOf(seen).traceId, idsOf(seen.answer).traceId]).toEqual([traceId, traceId]);
});

describe("a model with OpenTelemetry", () => {
  test.each(["executes", "streams"])("that %s is in the context of its request", async (model) => {
    for (let i = 0; i < 3; i++) {
      const seen = await look(model);
      expect(seen.active).toMatchObject({ ...idsOf(seen), traceFlags: 1, isRemote: true });
      expect(seen.parent).toMatchObject(idsOf(seen));
    }
  });

  test("is in none when its request is not traced", async () => {
    const seen = [await look("untraced")];
    idsOf(seen[0]);
    const settings = { method: "POST", body: JSON.stringify({ trace_level: ["OFF"] }) };
    expect((await fetchOnce(`${server.url}/v2/models/untraced/trace/setting`, settings)).status).toBe(200);
    for (let i = 0; i < 3; i++) expect(await look("untraced")).toEqual({});
  });
});
