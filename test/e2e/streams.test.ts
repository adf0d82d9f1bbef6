// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import {
  ClientError,
  control,
  fetchOnce,
  type InferOptions,
  inferJson,
  metric,
  requestJson,
  type StreamItem,
  startServer,
  type TestServer,
  TritonClient,
  until,
} from "./harness/index.ts";

let server: TestServer;
let client: TritonClient;

const config = (more: string) => `
backend: "typescript" max_batch_size: 4
input [ { name: "WHAT" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "OUT" data_type: TYPE_INT32 dims: [ 1 ] } ]
${more}`;
const DECOUPLED = "model_transaction_policy { decoupled: true }";
const PAIRS = "dynamic_batching { preferred_batch_size: [ 2 ] max_queue_delay_microseconds: 60000000 }";

const HEAD = `
import { setTimeout as sleep } from "node:timers/promises";
import { InferenceResponse, Tensor, TritonError } from "triton-typescript";
const number = (value: number, options = {}) =>
  new InferenceResponse([new Tensor("OUT", Int32Array.of(value), [1, 1])], options);
const whatOf = (request) => request.input("WHAT", "BYTES").strings()[0].split(" ");
`;

/** Streams what a request says: numbers, "error", "pause", "throw", "for-ever". */
const STREAM = `${HEAD}
export default class {
  async *stream(request) {
    const what = whatOf(request);
    try {
      for (const word of what) {
        if (word === "error") yield new TritonError("half way", "NOT_FOUND");
        else if (word === "throw") throw new TritonError("enough", "UNAVAILABLE");
        else if (word === "pause") await sleep(200, undefined, { signal: request.signal });
        else if (word === "parameters") yield number(0, { parameters: { source: "here" } });
        else if (word === "for-ever") {
          for (let i = 0; ; i++) {
            await sleep(1);
            yield number(i);
          }
        } else yield number(Number(word));
      }
    } finally {
      console.info(\`stream of '\${what.join(" ")}' is over, cancelled: \${request.isCancelled}\`);
    }
  }
}`;

/** By senders: "keep" leaves the request to the next one, "busy" blocks until it is cancelled. */
const SENDER = `${HEAD}
export default class {
  kept = [];
  async execute(requests) {
    for (const request of requests) {
      const sender = request.responseSender();
      const [what, count] = whatOf(request);
      if (what === "keep") {
        this.kept.push(sender);
        console.info("a sender is kept");
      }
      else if (what === "busy") {
        await sender.send(number(1));
        await sleep(10);
        while (!request.isCancelled);
        console.info("the busy loop saw the cancel");
        await sender.close();
      } else if (what === "release") {
        for (const kept of this.kept.splice(0)) await kept.send(number(7), { final: true });
        await sender.close();
      } else if (what === "final") {
        await sender.send(number(6), { final: true });
      } else if (what === "error") {
        await sender.send(new TritonError("by the sender", "NOT_FOUND"), { final: true });
      } else if (what === "late") {
        await sender.close();
        void sender.send(number(1));
      } else {
        for (let i = 0; i < Number(count); i++) void sender.send(number(i));
        await sender.close();
      }
    }
  }
}`;

/** Keeps the sender of a stream, which it closes when it is unloaded already, beyond its end. */
const KEEPER = `${HEAD}
import { existsSync } from "node:fs";
export default class {
  execute([request]) {
    this.sender = request.responseSender();
    void this.sender.send(number(1));
    const [file] = whatOf(request);
    console.info("the sender is kept");
    const timer = setInterval(() => {
      if (!existsSync(file)) return;
      clearInterval(timer);
      void this.sender.send(number(2), { final: true });
    }, 10);
  }
  async finalize() {
    await this.sender.send(number(3)).catch(({ message }) => console.info(\`in finalize: \${message}\`));
  }
}`;

/** In default mode, by stream, by sender or not at all. */
const DEFAULT = `${HEAD}
export default class {
  async execute(requests) {
    return requests.map((request) => {
      const [what] = whatOf(request);
      if (what === "return") return number(1);
      if (what === "nothing") return null;
      const sender = request.responseSender();
      setTimeout(() => void sender.send(number(2), { final: true }), 20);
      return null;
    });
  }
}`;
const DEFAULT_STREAM = `${HEAD}
export default class {
  *stream(request) {
    for (const word of whatOf(request)) yield number(Number(word));
  }
}`;

/** Counts rounds: goes back to the scheduler until there were as many as a request says. */
const ROUNDS = `${HEAD}
export default class {
  rounds = new Map();
  execute(requests) {
    for (const request of requests) {
      const round = (request.sequenceStart ? 0 : this.rounds.get(request.correlationId)) + 1;
      this.rounds.set(request.correlationId, round);
      const sender = request.responseSender();
      void sender.send(number(round));
      if (round < Number(whatOf(request)[0])) request.reschedule();
      else void sender.close();
    }
  }
}`;
const ROUNDS_DEFAULT = `${HEAD}
export default class {
  rounds = new Map();
  execute(requests) {
    return requests.map((request) => {
      const round = (request.sequenceStart ? 0 : this.rounds.get(request.correlationId)) + 1;
      this.rounds.set(request.correlationId, round);
      if (round === Number(whatOf(request)[0])) return number(round);
      request.reschedule();
      return null;
    });
  }
}`;
const ITERATIVE =
  "sequence_batching { iterative_sequence: true max_sequence_idle_microseconds: 60000000 oldest { max_candidate_sequences: 8 } }";

/** Waits for its signal, one request at a time or several. */
const WAIT = `${HEAD}
export default class {
  async execute(requests) {
    console.info(\`the model got '\${whatOf(requests[0]).join(" ")}'\`);
    await Promise.all(requests.map(({ signal }) => sleep(60_000, undefined, { signal })));
    return requests.map(() => number(1));
  }
}`;

beforeAll(async () => {
  const model = (name: string, code: string, more: string) => ({
    name,
    config: config(more),
    files: { "1/model.ts": code },
  });
  server = await startServer({
    models: [
      model("stream", STREAM, DECOUPLED),
      model("batched", STREAM, `${DECOUPLED} ${PAIRS}`),
      model("sender", SENDER, DECOUPLED),
      model("default", DEFAULT, ""),
      model("default_stream", DEFAULT_STREAM, ""),
      model("rounds", ROUNDS, `${DECOUPLED} ${ITERATIVE}`),
      model("rounds_default", ROUNDS_DEFAULT, ITERATIVE),
      model("wait", WAIT, 'parameters { key: "MAX_IN_FLIGHT_BATCHES" value { string_value: "1" } }'),
    ],
  });
  client = new TritonClient(server);
});

const say = (what: string, more: Partial<InferOptions> = {}): InferOptions => ({
  inputs: [{ name: "WHAT", datatype: "BYTES", shape: [1, 1], data: [Buffer.from(what)] }],
  ...more,
});
/** In short: the number, the text of an error, "end" for an empty final response. */
const shown = (items: readonly StreamItem[]): unknown[] =>
  items.map((item) => {
    if (item instanceof ClientError) return item.message;
    return item.outputs.length === 0 ? "end" : Number(item.output("OUT").data[0]);
  });
const stream = async (model: string, what: string) => shown(await client.stream(model, [say(what)]));

/** The events of /generate_stream. */
async function events(model: string, what: string, from = server): Promise<unknown[]> {
  const reply = await fetchOnce(`${from.url}/v2/models/${model}/generate_stream`, {
    method: "POST",
    body: JSON.stringify({ WHAT: what }),
  });
  const lines = (await reply.text()).split("\n").filter((line) => line.startsWith("data: "));
  return lines.map((line) => {
    const { OUT, error } = JSON.parse(line.slice("data: ".length));
    return error ?? OUT;
  });
}

/** The body of what /generate answers. */
const generate = async (model: string, what: string) =>
  (await requestJson(`${server.url}/v2/models/${model}/generate`, { WHAT: what })).body;
const NOT_ONE = { error: expect.stringContaining("exactly 1 response") };

const infer = (model: string, what: string, from = server) =>
  inferJson(from, model, { inputs: [{ name: "WHAT", datatype: "BYTES", shape: [1, 1], data: [what] }] });

describe("a stream", () => {
  test.each([
    ["1 2 3", [1, 2, 3]],
    ["1 error 3", [1, "half way", 3]],
    ["1 throw 3", [1, "enough"]],
    ["throw", ["enough"]],
  ])("'%s' over gRPC and over HTTP", async (what, expected) => {
    const end = what.includes("throw") ? [] : ["end"];
    expect(await stream("stream", what)).toEqual([...expected, ...end]);
    expect(await events("stream", what)).toEqual(expected);
  });

  test("parameters of a response, and flags of the last", async () => {
    const [first, last] = (await client.stream("stream", [say("parameters")])) as Exclude<StreamItem, ClientError>[];
    expect(first!.parameters).toMatchObject({ source: "here", triton_final_response: false });
    expect(last!.parameters).toMatchObject({ triton_final_response: true });
  });

  test("/generate takes exactly one response", async () => {
    expect(await generate("stream", "5")).toMatchObject({ OUT: 5 });
    expect(await generate("stream", "1 2")).toMatchObject(NOT_ONE);
  });

  test("requests of one batch, each at its own pace", async () => {
    const items = await client.stream("batched", [say("1 pause 2", { id: "slow" }), say("3 4", { id: "fast" })]);
    const ids = (items as Exclude<StreamItem, ClientError>[]).map(({ id, outputs }) => `${id} ${outputs.length}`);
    expect(ids.slice(-2)).toEqual(["slow 1", "slow 0"]);
    expect(shown(items).sort()).toEqual([1, 2, 3, 4, "end", "end"]);
  });

  test("is left when its client cancels", async () => {
    const items = await client.stream("stream", [say("for-ever")], 3);
    expect(shown(items).slice(0, 3)).toEqual([0, 1, 2]);
    await server.waitForLog("stream of 'for-ever' is over, cancelled: true");
  });

  test("is left when its client has gone", async () => {
    const controller = new AbortController();
    const reply = await fetch(`${server.url}/v2/models/stream/generate_stream`, {
      method: "POST",
      body: JSON.stringify({ WHAT: "8 for-ever" }),
      signal: controller.signal,
    });
    await reply.body!.getReader().read();
    controller.abort();
    await server.waitForLog("stream of '8 for-ever' is over, cancelled: true");
  });
});

describe("a sender", () => {
  test("/generate takes exactly one response, whoever closes the sender", async () => {
    expect(await generate("sender", "count 1")).toMatchObject({ OUT: 0 });
    expect(await generate("sender", "final")).toMatchObject({ OUT: 6 });
    expect(await generate("sender", "error")).toMatchObject({ error: "by the sender" });
    expect(await generate("sender", "count 0")).toMatchObject(NOT_ONE);
    expect(await generate("sender", "count 2")).toMatchObject(NOT_ONE);
    expect(await generate("default", "sender")).toMatchObject({ OUT: 2 });
  });

  test("many responses that nobody awaits, complete and in their order", async () => {
    const numbers = await stream("sender", "count 3000");
    expect(numbers).toEqual([...Array(3000).keys(), "end"]);
  });

  test("is used when execute is over, by another request", async () => {
    const kept = stream("sender", "keep");
    await server.waitForLog("a sender is kept");
    expect(await stream("sender", "release")).toEqual(["end"]);
    expect(await kept).toEqual([7]);
  });

  test("what is sent too late is in the log with its stack, and does nothing else", async () => {
    expect(await stream("sender", "late")).toEqual(["end"]);
    await server.waitForLog(
      /nobody handled it\. TritonError: Unable to send response\. Response sender has been closed\./,
    );
    await server.waitForLog(/at .*\/sender\/1\/model\.ts:\d+:\d+/);
    expect(await stream("sender", "count 1")).toEqual([0, "end"]);
  });

  test("that is open when the model is unloaded holds it; kept until its end, it does nothing", async () => {
    const keeper = { name: "keeper", config: config(DECOUPLED), files: { "1/model.ts": KEEPER } };
    const other = await startServer({ models: [keeper], modelControlMode: "explicit", loadModels: ["keeper"] });
    const file = path.join(other.repository, "go-on");
    const answer = events("keeper", file, other);
    await other.waitForLog("the sender is kept");
    expect((await control(other, "unload", "keeper")).status).toBe(200);
    expect((await infer("keeper", "", other)).status).toBe(404);
    expect(other.log()).not.toContain("in finalize");
    writeFileSync(file, "");
    expect(await answer).toEqual([1, 2]);
    await other.waitForLog("in finalize: Unable to send response. Response sender has been closed.");
    await other.waitForLog("successfully unloaded 'keeper'");
    await other.stop();
  });

  test("a loop that leaves the event loop no turn sees the cancel", async () => {
    await client.stream("sender", [say("busy")], 1);
    await server.waitForLog("the busy loop saw the cancel");
  });
});

describe("default mode", () => {
  test.each([
    ["default", "return", 1],
    ["default", "sender", 2],
    ["default_stream", "5", 5],
  ])("%s: '%s'", async (model, what, value) => {
    expect((await infer(model, what)).body.outputs[0].data).toEqual([value]);
  });

  test.each([
    ["default", "nothing", "found type 'null' for request 0"],
    ["default_stream", "5 6", "yielded a second response"],
  ])("%s: '%s' is an error", async (model, what, text) => {
    const reply = await infer(model, what);
    expect([reply.status, reply.body.error]).toEqual([500, expect.stringContaining(text)]);
  });
});

describe("rescheduling", () => {
  test("responses of several rounds", async () => {
    expect(await stream("rounds", "4")).toEqual([1, 2, 3, 4, "end"]);
  });

  test("in default mode, several at a time", async () => {
    const replies = await Promise.all(["1", "3", "5"].map((rounds) => infer("rounds_default", rounds)));
    expect(replies.map(({ body }) => body.outputs[0].data[0])).toEqual([1, 3, 5]);
  });
});

test("a cancelled request ends by its signal; those that wait never reach the model", async () => {
  const got = (what: string) => server.waitForLog(`the model got '${what}'`);
  const waiting = async () =>
    (await metric(server, "nv_inference_pending_request_count")).get('{model="wait",version="1"}');
  let second = "";
  const first = await client.cancel("wait", say("first"), async () => {
    await got("first");
    second = await client.cancel("wait", say("second"), () =>
      until(async () => (await waiting()) === 1, "the second request to wait", 60_000, server),
    );
  });
  expect([first, second]).toEqual(["StatusCode.CANCELLED", "StatusCode.CANCELLED"]);
  await client.cancel("wait", say("third"), () => got("third"));
  expect(server.log()).not.toContain("the model got 'second'");
});
