// SPDX-License-Identifier: Apache-2.0
// What Triton's core does for every backend.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import {
  eventually,
  Gate,
  look,
  type ModelSpec,
  metric,
  mirrorConfig,
  type Protocol,
  requestJson,
  startServer,
  statistics,
  type TestServer,
  TritonClient,
  tensor,
  texts,
  until,
  values,
} from "./harness/index.ts";

let server: TestServer;
let client: TritonClient;

const protocols: Protocol[] = ["http", "grpc"];

const mirror = (name: string, more: string, maxBatchSize = 0): ModelSpec => ({
  name,
  fixture: "mirror",
  config: mirrorConfig(more, maxBatchSize),
});

const warmup = `
model_warmup [
  { name: "random", batch_size: 1, inputs { key: "INPUT" value { data_type: TYPE_FP32, dims: [ 3 ], random_data: true } } },
  { name: "zeros", batch_size: 1, count: 2, inputs { key: "INPUT" value { data_type: TYPE_FP32, dims: [ 5 ], zero_data: true } } }
]`;

/** The processors that a process may run on, as in "0-3". */
const allowedCores = (pid: number | "self") =>
  /^Cpus_allowed_list:\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]!;

const lastCore = Number(/\d+$/.exec(allowedCores("self"))![0]);

const labels = ["stop", "go", "slow", "yield"];

/** The fixture "shapes" gives its only input back; what differs is the configuration. */
const echo = (name: string, input: string, output: string, more = "max_batch_size: 0"): ModelSpec => ({
  name,
  config: `backend: "typescript"\n${more}\ninput [ { name: "IN", ${input} } ]\noutput [ { name: "OUT", ${output} } ]`,
  files: {
    "labels.txt": `${labels.join("\n")}\n`,
    "1/model.ts": `
      import { InferenceResponse, Tensor, type InferenceRequest } from "triton-typescript";
      export class TritonModel {
        execute(requests: InferenceRequest[]) {
          return requests.map((request) => {
            const { data, shape, datatype } = request.input("IN");
            console.info("shape", JSON.stringify(shape));
            return new InferenceResponse([new Tensor("OUT", data, shape, datatype)]);
          });
        }
      }`,
  },
});

/** Fails every first of two requests; with a batch and a reshape, because the server looks at the shape of each output. */
const failsFirst: ModelSpec = {
  name: "cached_errors",
  config: `backend: "typescript"
max_batch_size: 4
input [ { name: "IN", data_type: TYPE_FP32, dims: [ 2, 2 ] } ]
output [ { name: "OUT", data_type: TYPE_FP32, dims: [ 2, 2 ], reshape { shape: [ 4, 1 ] } } ]
response_cache { enable: true }`,
  files: {
    "1/model.ts": `
      import { InferenceResponse, Tensor, TritonError, type InferenceRequest } from "triton-typescript";
      let calls = 0;
      export class TritonModel {
        execute(requests: InferenceRequest[]) {
          return requests.map((request) => {
            if (++calls % 2 === 1) return new TritonError("not yet", "UNAVAILABLE");
            const { data, shape } = request.input("IN", "FP32");
            return new InferenceResponse([new Tensor("OUT", data, [shape[0]!, 4, 1])]);
          });
        }
      }`,
  },
};

beforeAll(async () => {
  server = await startServer({
    args: [
      "--cache-config=local,size=4194304",
      ...["--rate-limit=execution_count", "--rate-limit-resource=GATE:2"],
      ...[`--host-policy=pinned,cpu-cores=${lastCore}-${lastCore}`],
    ],
    models: [
      mirror("warmed", warmup),
      mirror("cached", "response_cache { enable: true }"),
      mirror("uncached", ""),
      failsFirst,
      mirror(
        "limited",
        'instance_group [ { count: 4, kind: KIND_CPU, rate_limiter { resources [ { name: "GATE", count: 1 } ] } } ]',
      ),
      mirror(
        "stateful",
        'sequence_batching { state [ { input_name: "S", output_name: "T", data_type: TYPE_FP32, dims: [ 1 ] } ] }',
      ),
      mirror("groups", 'instance_group [ { name: "a", count: 2, kind: KIND_CPU }, { name: "b", kind: KIND_MODEL } ]'),
      mirror("gpu", "instance_group [ { kind: KIND_GPU } ]"),
      mirror("default_group", ""),
      mirror("pair", "instance_group [ { count: 2, kind: KIND_CPU } ]"),
      mirror("pinned", 'instance_group [ { count: 2, kind: KIND_CPU, host_policy: "pinned" } ]'),
      "numbers",
      "identity",
      "twice_doubled",
      echo(
        "reshaped",
        "data_type: TYPE_FP32, dims: [ 2, 2 ], reshape { shape: [ 4, 1 ] }",
        "data_type: TYPE_FP32, dims: [ 2, 2 ], reshape { shape: [ 4, 1 ] }",
      ),
      echo(
        "batched_scalar",
        "data_type: TYPE_INT32, dims: [ 1 ], reshape { shape: [ ] }",
        "data_type: TYPE_INT32, dims: [ 1 ], reshape { shape: [ ] }",
        "max_batch_size: 4",
      ),
      echo(
        "labelled",
        "data_type: TYPE_FP32, dims: [ 4 ]",
        'data_type: TYPE_FP32, dims: [ 4 ], label_filename: "labels.txt"',
      ),
      echo(
        "labelled_batch",
        "data_type: TYPE_FP32, dims: [ 4 ]",
        'data_type: TYPE_FP32, dims: [ 4 ], label_filename: "labels.txt"',
        "max_batch_size: 4",
      ),
    ],
  });
  client = new TritonClient(server);
});

test("one bad model does not keep the others from starting", async () => {
  expect(await server.isModelReady("stateful")).toBe(false);
  expect(await server.isModelReady("warmed")).toBe(true);
});

describe("model_warmup", () => {
  test("runs before the model is ready", async () => {
    expect((await look(client, "warmed")).order).toBe(4);
  });
});

describe("reshape", () => {
  test.each(protocols)("changes the shape that the model sees over %s", async (protocol) => {
    const reply = await client.infer(protocol, "reshaped", { inputs: [tensor("IN", "FP32", [1, 2, 3, 4], [2, 2])] });
    expect(reply.outputs).toEqual([tensor("OUT", "FP32", [1, 2, 3, 4], [2, 2])]);
    await server.waitForLog(/\[reshaped_0\] shape \[4,1\]/);
  });

  test("may leave the batch dimension alone", async () => {
    const reply = await client.infer("grpc", "batched_scalar", { inputs: [tensor("IN", "INT32", [7, 8, 9], [3, 1])] });
    expect(reply.outputs).toEqual([tensor("OUT", "INT32", [7, 8, 9], [3, 1])]);
    await server.waitForLog("[batched_scalar_0] shape [3]");
  });
});

describe("label_filename", () => {
  const scores = [0.5, 0.125, 0.75, 0.25];

  test.each(protocols)("names the best classes over %s", async (protocol) => {
    const reply = await client.infer(protocol, "labelled", {
      inputs: [tensor("IN", "FP32", scores)],
      outputs: [{ name: "OUT", classCount: 2 }],
    });
    expect(texts(reply.output("OUT"))).toEqual(["0.750000:2:slow", "0.500000:0:stop"]);
  });

  test.each(protocols)("names them for each row over %s", async (protocol) => {
    const reply = await client.infer(protocol, "labelled_batch", {
      inputs: [tensor("IN", "FP32", [...scores, 4, 3, 2, 1], [2, 4])],
      outputs: [{ name: "OUT", classCount: 1 }],
    });
    expect(reply.output("OUT").shape).toEqual([2, 1]);
    expect(texts(reply.output("OUT"))).toEqual(["0.750000:2:slow", "4.000000:0:stop"]);
  });
});

describe("the response cache", () => {
  const ask = (model: string, value: number) =>
    look(client, model, { inputs: [tensor("INPUT", "FP32", [value])], protocol: "grpc" });

  test("answers the same request without the model", async () => {
    const first = await ask("cached", 1);
    const again = await ask("cached", 1);
    const other = await ask("cached", 2);
    expect([first.order, again.order, other.order]).toEqual([1, 1, 2]);
    await eventually(async () => {
      const [stats] = await statistics(server, "cached");
      expect(stats!.inference_stats.cache_hit.count).toBe(1);
      expect(stats!.inference_stats.cache_miss.count).toBe(2);
      expect((await metric(server, "nv_cache_num_hits_per_model")).get('{model="cached",version="1"}')).toBe(1);
    });
  });

  test.each(protocols)("does not keep an error over %s", async (protocol) => {
    const inputs = [tensor("IN", "FP32", protocol === "http" ? [1, 2, 3, 4] : [5, 6, 7, 8], [1, 2, 2])];
    await expect(client.infer(protocol, "cached_errors", { inputs })).rejects.toThrow("not yet");
    const second = await client.infer(protocol, "cached_errors", { inputs });
    const third = await client.infer(protocol, "cached_errors", { inputs });
    expect(second.outputs).toEqual([{ ...inputs[0], name: "OUT" }]);
    expect(third.outputs).toEqual(second.outputs);
  });

  test("is off unless the model asks for it", async () => {
    expect([(await ask("uncached", 1)).order, (await ask("uncached", 1)).order]).toEqual([1, 2]);
  });
});

test("the rate limiter lets as many instances work as there are resources", async () => {
  // Quick ones first, so that the instances look fast.
  for (let i = 0; i < 40; i++) await look(client, "limited");
  const gate = new Gate();
  const looks = Array.from({ length: 12 }, () => look(client, "limited", { gate, delayMs: 60 }));
  await gate.arrivals(2, server);
  gate.open();
  const seen = await Promise.all(looks);
  const together = seen.map(({ from }) => seen.filter((other) => other.from <= from && from < other.to).length);
  expect(Math.max(...together)).toBe(2);
  expect(new Set(seen.map(({ model }) => model.pid)).size).toBeGreaterThanOrEqual(2);
});

describe("system shared memory", () => {
  test.each(protocols)("brings inputs and takes outputs over %s", async (protocol) => {
    const data = Float32Array.from({ length: 10_000 }, (_, i) => i / 4);
    const reply = await client.infer(protocol, "numbers", {
      inputs: [{ ...tensor("INPUT", "FP32", data), region: `e2e_${process.pid}_in_${protocol}` }],
      outputs: [
        { name: "DOUBLED", region: `e2e_${process.pid}_out_${protocol}`, byteSize: data.byteLength },
        { name: "HALVED", region: `e2e_${process.pid}_half_${protocol}`, byteSize: data.byteLength / 2 },
      ],
    });
    expect(reply.output("DOUBLED").shape).toEqual([10_000]);
    expect(values(reply.output("DOUBLED"))).toEqual([...data].map((value) => value * 2));
    expect((reply.output("HALVED").data as Uint16Array)[8]).toBe(0x3c00);
  });

  test.each(protocols)("brings BYTES over %s", async (protocol) => {
    const words = ["", "rot", "grün 🚦"];
    const reply = await client.infer(protocol, "identity", {
      inputs: [{ ...tensor("INPUT_BYTES", "BYTES", words), region: `e2e_${process.pid}_text_${protocol}` }],
      outputs: ["OUTPUT_BYTES"],
    });
    expect(texts(reply.output("OUTPUT_BYTES"))).toEqual(words);
  });

  test("that is too small is an error", async () => {
    const input = tensor("INPUT", "FP32", new Float32Array(1000));
    const outputs = [{ name: "DOUBLED", region: `e2e_${process.pid}_small`, byteSize: 100 }];
    await expect(client.infer("grpc", "numbers", { inputs: [input], outputs })).rejects.toThrow(/shared memory/);
    const reply = await client.infer("grpc", "numbers", { inputs: [input], outputs: ["DOUBLED"] });
    expect(reply.output("DOUBLED").shape).toEqual([1000]);
  });
});

test("implicit state is refused with a clear sentence", async () => {
  const { body } = await requestJson(`${server.url}/v2/repository/index`, {});
  const entry = body.find(({ name }: { name: string }) => name === "stateful");
  expect(entry.state).toBe("UNAVAILABLE");
  expect(entry.reason).toMatch(/sequence_batching \{ state \}.*Remove the setting/);
});

describe("an ensemble of TypeScript models", () => {
  test.each(protocols)("works over %s", async (protocol) => {
    const reply = await client.infer(protocol, "twice_doubled", { inputs: [tensor("IN", "FP32", [1, 2.5, -3])] });
    expect(reply.outputs).toEqual([tensor("RESULT", "FP32", [4, 10, -12])]);
  });
});

describe("instance_group", () => {
  /** The instances that answer when each of `count` requests finds the others busy, `expected` of them at least. */
  const instances = async (model: string, count: number, expected: number) => {
    const gate = new Gate();
    const looks = Array.from({ length: count }, () => look(client, model, { gate, delayMs: 150 }));
    await gate.arrivals(expected, server);
    gate.open();
    const seen = await Promise.all(looks);
    return [...new Map(seen.map((each) => [each.model.instance, each.model])).values()].sort((a, b) =>
      a.instance.localeCompare(b.instance),
    );
  };

  test("starts one process for each instance of each group", async () => {
    const found = await instances("groups", 6, 3);
    expect(found.map(({ instance, kind }) => [instance, kind])).toEqual([
      ["a_0", "CPU"],
      ["a_1", "CPU"],
      ["b_0", "MODEL"],
    ]);
    const pids = found.map(({ pid }) => pid);
    expect(new Set(pids).size).toBe(3);
    expect(server.stubs()).toEqual(expect.arrayContaining(pids));
  });

  test("leaves no request to a busy instance that a free one could answer", async () => {
    // Quick ones first, so that the instances look fast.
    for (let i = 0; i < 50; i++) await look(client, "pair");
    for (let i = 0; i < 4; i++) {
      const finished: string[] = [];
      const gate = new Gate();
      const slow = look(client, "pair", { gate }).then(() => finished.push("slow"));
      await gate.arrivals(1, server);
      for (const quick of ["first", "second"]) await look(client, "pair").then(() => finished.push(quick));
      gate.open();
      await slow;
      expect(finished).toEqual(["first", "second", "slow"]);
    }
  });

  test("is one instance on the CPU by default", async () => {
    const found = await instances("default_group", 3, 1);
    expect(found).toEqual([
      {
        name: "default_group",
        version: "1",
        instance: "default_group_0",
        kind: "CPU",
        device: "0",
        pid: found[0]!.pid,
      },
    ]);
  });

  test("a host policy pins every process, the one that read the model's file first among them", async () => {
    const found = await instances("pinned", 4, 2);
    expect(found).toHaveLength(2);
    expect(found.map(({ pid }) => allowedCores(pid))).toEqual([String(lastCore), String(lastCore)]);
    for (const { pid } of found) process.kill(pid, "SIGKILL");
    await until(
      () => server.logLines("Stub process 'pinned").filter((line) => line.includes("restarted.")).length === 2,
      "restarts",
    );
    const again = await instances("pinned", 4, 2);
    expect(again.map(({ pid }) => allowedCores(pid))).toEqual([String(lastCore), String(lastCore)]);
  });

  test("KIND_GPU is what the server says about the machine", async () => {
    const { body } = await requestJson(`${server.url}/v2/repository/index`, {});
    const entry = body.find(({ name }: { name: string }) => name === "gpu");
    if (entry.state === "READY") expect((await look(client, "gpu")).model.kind).toBe("GPU");
    else expect(entry.reason).toMatch(/GPU/);
  });
});

test("metadata and configuration look as for any backend", async () => {
  const { body: metadata } = await requestJson(`${server.url}/v2/models/numbers`);
  expect(metadata).toEqual({
    name: "numbers",
    versions: ["1"],
    platform: "typescript",
    inputs: [{ name: "INPUT", datatype: "FP32", shape: [-1] }],
    outputs: [
      { name: "DOUBLED", datatype: "FP32", shape: [-1] },
      { name: "HALVED", datatype: "FP16", shape: [-1] },
    ],
  });
  const { body: config } = await requestJson(`${server.url}/v2/models/numbers/config`);
  expect([config.name, config.backend, config.max_batch_size]).toEqual(["numbers", "typescript", 0]);
});
