// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import {
  ClientError,
  fetchOnce,
  Gate,
  look,
  metric,
  mirrorConfig,
  type Seen,
  startServer,
  type TestServer,
  TritonClient,
  tensor,
  texts,
  until,
  values,
  type WireTensor,
} from "./harness/index.ts";

let server: TestServer;
let client: TritonClient;

const secondsUs = 1_000_000;
const patient = `max_queue_delay_microseconds: ${10 * secondsUs}`;

const answersConfig = `
backend: "typescript"
max_batch_size: 8
input [ { name: "ACTION", data_type: TYPE_STRING, dims: [ 1 ] } ]
output [ { name: "DONE", data_type: TYPE_STRING, dims: [ 1 ] } ]
dynamic_batching { preferred_batch_size: [ 4 ], ${patient} }`;

const raggedConfig = `
backend: "typescript"
max_batch_size: 8
input [
  { name: "INPUT", data_type: TYPE_FP32, dims: [ -1 ], allow_ragged_batch: true },
  { name: "EXTRA", data_type: TYPE_STRING, dims: [ -1 ], optional: true }
]
output [
  { name: "SEEN", data_type: TYPE_STRING, dims: [ 1 ] },
  { name: "SUM", data_type: TYPE_FP32, dims: [ 1 ] }
]
batch_input [
  { kind: BATCH_ACCUMULATED_ELEMENT_COUNT, target_name: "ENDS", data_type: TYPE_FP32, source_input: "INPUT" }
]
dynamic_batching { preferred_batch_size: [ 3 ], ${patient} }`;

beforeAll(async () => {
  const mirror = (name: string, config: string) => ({ name, fixture: "mirror", config });
  const queue = (policy: string) => mirrorConfig(`dynamic_batching { default_queue_policy { ${policy} } }`, 1);
  server = await startServer({
    models: [
      mirror("whole", mirrorConfig("", 8)),
      mirror("preferred", mirrorConfig(`dynamic_batching { preferred_batch_size: [ 4 ], ${patient} }`, 8)),
      mirror("delayed", mirrorConfig("dynamic_batching { max_queue_delay_microseconds: 1000 }", 8)),
      mirror("short_queue", queue("max_queue_size: 1")),
      mirror(
        "impatient",
        queue("timeout_action: REJECT, default_timeout_microseconds: 20000, allow_timeout_override: true"),
      ),
      mirror("postponing", queue("timeout_action: DELAY, default_timeout_microseconds: 1000")),
      mirror("ranked", mirrorConfig("dynamic_batching { priority_levels: 3, default_priority_level: 2 }", 1)),
      mirror("ragged", raggedConfig),
      mirror("overlapping", mirrorConfig('parameters { key: "MAX_IN_FLIGHT_BATCHES" value { string_value: "64" } }')),
      mirror("four", mirrorConfig('parameters { key: "MAX_IN_FLIGHT_BATCHES" value { string_value: "4" } }')),
      mirror("one_by_one", mirrorConfig()),
      { name: "answers", fixture: "answers", config: answersConfig },
    ],
  });
  client = new TritonClient(server);
});

const together = <T>(count: number, start: (i: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, i) => start(i)));

/** Keeps the only instance of a model busy until it is freed; the requests that follow wait in the queue. */
async function occupy(model: string): Promise<{ free: () => Promise<Seen> }> {
  const gate = new Gate();
  const occupant = look(client, model, { gate, rows: 1 });
  occupant.catch(() => undefined);
  await gate.arrivals(1, server);
  return {
    free() {
      gate.open();
      return occupant;
    },
  };
}

/** Waits until so many requests are in the queue of a model. */
async function queued(model: string, count: number): Promise<void> {
  const pending = async () =>
    (await metric(server, "nv_inference_pending_request_count")).get(`{model="${model}",version="1"}`);
  await until(async () => (await pending()) === count, `${count} requests of ${model} to wait`, 60_000, server);
}

async function outcome(request: Promise<Seen>): Promise<Seen | ClientError> {
  return request.catch((error: unknown) => {
    if (error instanceof ClientError) return error;
    throw error;
  });
}

describe("max_batch_size", () => {
  test("lets one request bring several rows", async () => {
    const seen = await look(client, "whole", { rows: 3 });
    expect(seen.inputs["INPUT"]).toEqual({ datatype: "FP32", shape: [3, 2], data: [1, 1, 1, 1, 1, 1] });
  });

  test("gives one answer per row", async () => {
    const reply = await client.infer("http", "whole", { inputs: [tensor("INPUT", "FP32", [1, 2, 3, 4], [2, 2])] });
    expect(reply.output("SUM").shape).toEqual([2, 1]);
    expect(values(reply.output("SUM"))).toEqual([10, 10]);
  });

  test("is the most that one request may bring", async () => {
    await expect(look(client, "whole", { rows: 9 })).rejects.toThrow(/batch-size must be <= 8/);
  });
});

describe("the dynamic batcher", () => {
  test("waits for a preferred size", async () => {
    const seen = await together(4, () => look(client, "preferred", { rows: 1 }));
    expect(seen.map(({ batch }) => batch)).toEqual([4, 4, 4, 4]);
    expect(new Set(seen.map(({ index }) => index))).toEqual(new Set([0, 1, 2, 3]));
    expect(new Set(seen.map(({ call }) => call)).size).toBe(1);
  });

  test("counts rows, not requests", async () => {
    const seen = await together(2, () => look(client, "preferred", { rows: 2 }));
    expect(seen.map(({ batch }) => batch)).toEqual([2, 2]);
  });

  test("gives each request its own tensors back", async () => {
    const replies = await together(8, (i) =>
      client.infer("grpc", "preferred", { inputs: [tensor("INPUT", "FP32", [i, 100], [1, 2])] }),
    );
    expect(replies.flatMap((reply) => values(reply.output("SUM")))).toEqual([100, 101, 102, 103, 104, 105, 106, 107]);
  });

  test("sends a smaller batch after its delay", async () => {
    expect((await look(client, "delayed", { rows: 1 })).batch).toBe(1);
  });

  test("fills a batch while the instance is busy", async () => {
    const { free } = await occupy("delayed");
    const waiting = together(5, () => look(client, "delayed", { rows: 1 }));
    await queued("delayed", 5);
    await free();
    expect((await waiting).map(({ batch }) => batch)).toEqual([5, 5, 5, 5, 5]);
  });
});

describe("errors within a batch", () => {
  const act = (action: string) =>
    client.infer("grpc", "answers", { inputs: [tensor("ACTION", "BYTES", [action], [1, 1])] }).then(
      (reply) => texts(reply.output("DONE"))[0],
      (error: ClientError) => `${error.status}: ${error.message}`,
    );
  const both = (actions: readonly string[]) => together(4, (i) => act(actions[i]!));

  test("leave the neighbours alone", async () => {
    expect(await both(["ok", "return NOT_FOUND", "respond UNAVAILABLE", "ok"])).toEqual([
      "ok of 4",
      "StatusCode.NOT_FOUND: asked for NOT_FOUND",
      "StatusCode.UNAVAILABLE: asked for UNAVAILABLE",
      "ok of 4",
    ]);
  });

  test("leave the neighbours alone when one answer is wrong", async () => {
    const [good, shape, datatype, object] = await both(["ok", "shape", "datatype", "object"]);
    expect(good).toBe("ok of 4");
    expect(shape).toMatch(/^StatusCode.INTERNAL: Output 'DONE' .*shape \[1, 2\]/);
    expect(datatype).toMatch(/^StatusCode.INTERNAL: Output 'DONE' .*datatype FP32/);
    expect(object).toMatch(/^StatusCode.INTERNAL: Expected an 'InferenceResponse' object/);
  });

  test("a throw fails the whole batch, and the next batch works", async () => {
    const thrown = await both(["ok", "throw ALREADY_EXISTS", "ok", "ok"]);
    expect(new Set(thrown)).toEqual(new Set(["StatusCode.ALREADY_EXISTS: asked for ALREADY_EXISTS"]));
    expect(await both(["ok", "ok", "ok", "ok"])).toEqual(["ok of 4", "ok of 4", "ok of 4", "ok of 4"]);
  });

  test("an array of the wrong length fails the whole batch", async () => {
    const answers = await both(["ok", "few", "ok", "ok"]);
    for (const answer of answers) expect(answer).toMatch(/Expected 4 responses .*found 3/);
  });

  test("malformed BYTES of one client do not fail another's request", async () => {
    const bad = fetchOnce(`${server.url}/v2/models/answers/infer`, {
      method: "POST",
      headers: { "Inference-Header-Content-Length": "120" },
      body: Buffer.concat([
        Buffer.from(
          JSON.stringify({
            inputs: [{ name: "ACTION", datatype: "BYTES", shape: [1, 1], parameters: { binary_data_size: 8 } }],
          }).padEnd(120),
        ),
        Buffer.from([200, 0, 0, 0, 1, 2, 3, 4]),
      ]),
    });
    // Together they are the four that the batcher waits for.
    const good = together(3, () => act("ok"));
    const refused = await bad;
    expect(refused.status).toBe(400);
    expect(await refused.text()).toMatch(/elements of input 'ACTION' do not fit its 8 bytes/);
    expect(await good).toEqual(["ok of 3", "ok of 3", "ok of 3"]);
  });
});

describe("a queue policy", () => {
  test("refuses what exceeds max_queue_size", async () => {
    const { free } = await occupy("short_queue");
    const refused: ClientError[] = [];
    const outcomes = together(6, async () => {
      const each = await outcome(look(client, "short_queue", { rows: 1 }));
      if (each instanceof ClientError) refused.push(each);
    });
    await until(() => refused.length >= 4, "four refusals", 60_000, server);
    await free();
    await outcomes;
    for (const error of refused) {
      expect(error.message).toMatch(/[Ee]xceeds maximum queue size/);
      expect(error.status).toBe("StatusCode.UNAVAILABLE");
    }
    expect(refused.length).toBeLessThanOrEqual(5);
  });

  test("rejects what waits too long", async () => {
    const { free } = await occupy("impatient");
    const late = await outcome(look(client, "impatient", { rows: 1 }));
    expect((late as ClientError).message).toMatch(/Request timeout expired/);
    expect((late as ClientError).status).toBe("StatusCode.UNAVAILABLE");
    await free();
  });

  test("takes the client's own timeout where it may", async () => {
    const { free } = await occupy("impatient");
    const hasty = await outcome(look(client, "impatient", { rows: 1, timeoutUs: 1000 }));
    expect((hasty as ClientError).message).toMatch(/Request timeout expired/);
    await free();
  });

  test("may answer late instead", async () => {
    const { free } = await occupy("postponing");
    const late = look(client, "postponing", { rows: 1 });
    await queued("postponing", 1);
    await sleep(20); // beyond its time
    await free();
    expect((await late).batch).toBe(1);
  });

  test("serves a higher priority first", async () => {
    const { free } = await occupy("ranked");
    const ask = (priority?: number) => look(client, "ranked", { rows: 1, priority });
    const low = together(3, () => ask(3));
    const usual = together(3, () => ask());
    await queued("ranked", 6);
    const high = together(3, () => ask(1));
    await queued("ranked", 9);
    await free();
    const order = async (group: Promise<Seen[]>) => (await group).map((seen) => seen.order);
    const [highOrder, usualOrder, lowOrder] = [await order(high), await order(usual), await order(low)];
    expect(Math.max(...highOrder)).toBeLessThan(Math.min(...usualOrder));
    expect(Math.max(...usualOrder)).toBeLessThan(Math.min(...lowOrder));
  });
});

test("ragged batches keep each request's own size", async () => {
  const lengths = [1, 5, 3];
  const inputs = lengths.map((length): WireTensor => tensor("INPUT", "FP32", new Array(length).fill(2), [1, length]));
  const replies = await Promise.all(inputs.map((input) => client.infer("http", "ragged", { inputs: [input] })));
  const seen = replies.map((reply): Seen => JSON.parse(texts(reply.output("SEEN"))[0]!));
  expect(seen.map(({ batch }) => batch)).toEqual([3, 3, 3]);
  expect(seen.map(({ inputs: { INPUT } }) => INPUT!.shape)).toEqual([
    [1, 1],
    [1, 5],
    [1, 3],
  ]);
  expect(replies.flatMap((reply) => values(reply.output("SUM")))).toEqual([2, 10, 6]);
});

describe("MAX_IN_FLIGHT_BATCHES", () => {
  const count = 64;
  /** Sends requests that are all held until `inFlight` of them are. */
  const load = async (model: string, inFlight: number, delayMs: number) => {
    const gate = new Gate();
    const seen = together(count, () => look(client, model, { gate, delayMs }));
    await gate.arrivals(inFlight, server);
    gate.open();
    return seen;
  };
  const most = (seen: readonly Seen[]) => Math.max(...seen.map(({ mostInFlight }) => mostInFlight));

  test("lets a model that awaits work on many batches at once", async () => {
    const seen = await load("overlapping", count, 0);
    expect(new Set(seen.map(({ order }) => order)).size).toBe(count);
    expect(most(seen)).toBe(count);
  });

  test("is a limit", async () => {
    const seen = await load("four", 4, 50);
    expect(most(seen)).toBe(4);
  });

  test("is one by default", async () => {
    const seen = await together(16, () => look(client, "one_by_one", { delayMs: 10 }));
    expect(most(seen)).toBe(1);
  });

  test("lets a later request finish first", async () => {
    const finished: string[] = [];
    const gate = new Gate();
    const slow = look(client, "overlapping", { gate }).then(() => finished.push("slow"));
    await gate.arrivals(1, server);
    await look(client, "overlapping").then(() => finished.push("quick"));
    gate.open();
    await slow;
    expect(finished).toEqual(["quick", "slow"]);
  });
});
