// SPDX-License-Identifier: Apache-2.0
// The Viam module with a real Triton, as a robot uses it; the robot is a fake that speaks its protocol.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageRoot } from "../../server/package_root.ts";
import { childrenOf, descendants } from "../../server/processes.ts";
import { until } from "../../server/testing/until.ts";
import { FakeRobot, ModuleProcess } from "../../viam-module/testing/robot.ts";
import { stubOf } from "./faults/bad_models.ts";
import { Gate, isAlive, isMappedBy, makeRepository, opensMappings, startServer } from "./harness/index.ts";
import { attributesIn, floats, pictureModel, textModel } from "./harness/viam_models.ts";

const served = path.join(packageRoot, "model_repository");
/** Its load takes as long as a gate is closed. */
const slow = ({ folder }: Gate) => `
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { InferenceResponse, Tensor } from "triton-typescript";
export default class Slow {
  async initialize() {
    while (!existsSync("${folder}/go")) await sleep(5);
  }
  execute(requests) {
    return requests.map(() => new InferenceResponse([new Tensor("OUT", Float32Array.of(7), [1])]));
  }
}
`;
const [slowGate, endlessGate] = [new Gate(), new Gate()];
const oneFloat = `backend: "typescript"
input [ { name: "IN", data_type: TYPE_FP32, dims: [ -1 ] } ]
output [ { name: "OUT", data_type: TYPE_FP32, dims: [ -1 ] } ]
`;
/** Answers when there is a file at the path that it is told. */
const gated = `
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { InferenceResponse, Tensor } from "triton-typescript";
export default class Gated {
  async execute(requests) {
    const { gate } = requests[0].parameters;
    while (!existsSync(gate)) await sleep(50);
    return requests.map((request) => new InferenceResponse([new Tensor("OUT", request.input("IN", "FP32").data, [1])]));
  }
}
`;
/** Tells its version, and that of all that were loaded. */
const versioned = `
import { InferenceResponse, Tensor } from "triton-typescript";
export default class Versioned {
  initialize({ modelVersion }) {
    this.version = Number(modelVersion);
  }
  execute(requests) {
    return requests.map(() => new InferenceResponse([new Tensor("OUT", Float32Array.of(this.version), [1])]));
  }
}
`;

const broken = "throw new Error('broken on purpose');";

const repository = makeRepository([
  "identity",
  "callee",
  "counter",
  {
    name: "gated",
    config: `${oneFloat}parameters { key: "MAX_IN_FLIGHT_BATCHES" value { string_value: "64" } }`,
    files: { "1/model.ts": gated },
  },
  { name: "slow", config: oneFloat, files: { "1/model.ts": slow(slowGate) } },
  { name: "endless", config: oneFloat, files: { "1/model.ts": slow(endlessGate) } },
  pictureModel,
  textModel,
  { name: "broken", config: oneFloat, files: { "1/model.ts": broken } },
  {
    name: "versioned",
    config: oneFloat,
    files: { "1/model.ts": versioned, "2/model.ts": versioned, "10/model.ts": versioned },
  },
]);

let robot: FakeRobot;
let module: ModuleProcess;

/** Attributes for a model of the repository of this file. */
const of = attributesIn(repository);
const bytes = (data: Uint8Array, ...shape: number[]) => ({
  shape: shape.map(BigInt),
  tensor: { case: "uint8Tensor" as const, value: { data } },
});

/** The servers that a module has started. */
const serversOf = (pid: number): number[] =>
  childrenOf(pid).filter((child) => {
    try {
      return readFileSync(`/proc/${child}/cmdline`, "utf8").includes("tritonserver");
    } catch {
      return false;
    }
  });

async function startModule(env: NodeJS.ProcessEnv = {}): Promise<[FakeRobot, ModuleProcess]> {
  const newRobot = new FakeRobot();
  await newRobot.listen();
  const started = new ModuleProcess(path.join(newRobot.folder, "m.sock"), { args: ["--log-level=debug"], env });
  await started.untilReady(newRobot.address);
  return [newRobot, started];
}

beforeAll(async () => {
  [robot, module] = await startModule();
});

afterAll(async () => {
  await module.stop();
  robot.close();
});

test("resources of one repository share a server, which is gone with the last", async () => {
  await Promise.all(["a", "b"].map((name) => module.client.add(name, of("callee"))));
  await module.client.add("c", of("identity"));
  const servers = serversOf(module.pid);
  expect(servers).toHaveLength(1);
  for (const name of ["a", "b"]) {
    const { OUT } = await module.client.infer(name, { IN: floats(1, 2) });
    expect(OUT).toMatchObject({ shape: [2n], tensor: { value: { data: [1, 2] } } });
  }
  await module.client.remove("a");
  expect((await module.client.infer("b", { IN: floats(3) }))["OUT"]).toMatchObject({ shape: [1n] });
  await expect(module.client.infer("a", { IN: floats(3) })).rejects.toMatchObject({ code: 5 });
  await module.client.remove("b");
  await module.client.remove("c");
  await until(() => !isAlive(servers[0]!), "the server to end");
});

test("a model that the repository does not have is refused with the nearest that it has", async () => {
  await expect(module.client.add("typo", of("idnetity"))).rejects.toMatchObject({
    code: 5,
    details: 'The repository has no model "idnetity". Did you mean "identity"?',
  });
});

describe("tensors", () => {
  beforeAll(async () => {
    await module.client.add("all", of("identity"));
  });
  afterAll(async () => {
    await module.client.remove("all");
  });

  test("of all kinds go to the model and back", async () => {
    const flat = (kind: string, data: unknown) => ({ shape: [2n], tensor: { case: kind, value: { data } } });
    const tensors = {
      INPUT_INT8: flat("int8Tensor", Uint8Array.of(1, 255)),
      INPUT_UINT8: flat("uint8Tensor", Uint8Array.of(1, 255)),
      INPUT_INT16: flat("int16Tensor", [1, 0xffff_ffff]),
      INPUT_UINT16: flat("uint16Tensor", [1, 65535]),
      INPUT_INT32: flat("int32Tensor", [1, -1]),
      INPUT_UINT32: flat("uint32Tensor", [1, 2 ** 32 - 1]),
      INPUT_INT64: flat("int64Tensor", [1n, -1n]),
      INPUT_UINT64: flat("uint64Tensor", [1n, 2n ** 64n - 1n]),
      INPUT_FP32: flat("floatTensor", [0.5, Number.NEGATIVE_INFINITY]),
      INPUT_FP64: flat("doubleTensor", [0.1, -1e300]),
      INPUT_BOOL: flat("uint8Tensor", Uint8Array.of(0, 1)),
      INPUT_FP16: flat("floatTensor", [1, -0.5]),
      INPUT_BF16: flat("floatTensor", [1, -2]),
    };
    const outputs = await module.client.infer("all", tensors as never);
    const wanted = Object.entries(tensors).map(
      ([name, { tensor }]) => [name.replace("INPUT", "OUTPUT"), tensor] as const,
    );
    expect(Object.keys(outputs).sort()).toEqual(wanted.map(([name]) => name).sort());
    for (const [name, tensor] of wanted) {
      expect(outputs[name]!.tensor.case, name).toBe(tensor.case);
      expect([...(outputs[name]!.tensor.value!.data as Iterable<unknown>)], name).toEqual([
        ...(tensor.value.data as []),
      ]);
    }
  });

  test("texts are left out with one warning, or come as JSON", async () => {
    await module.client.add("text", of("text"));
    const input = { TEXT: bytes(Buffer.from("grüße"), 7) };
    const { TEXT: none, LENGTH } = await module.client.infer("text", input);
    expect(none).toBeUndefined();
    expect(LENGTH!.tensor).toMatchObject({ case: "int32Tensor", value: { data: [5] } });
    const warnings = () => robot.log().match(/warn text: .*left out: TEXT\./g) ?? [];
    await until(() => warnings().length > 0, "the warning");
    expect(warnings()).toHaveLength(1);
    const { TEXT } = await module.client.infer("text", input, { extra: { bytes_outputs: "json" } });
    expect(Buffer.from(TEXT!.tensor.value!.data as Uint8Array).toString()).toBe('["grüße"]');
    const names = async () => (await module.client.metadata("text")).outputInfo.map(({ name }) => name);
    expect(await names()).toEqual(["LENGTH"]);
    await module.client.reconfigure("text", of("text", { bytes_outputs: "json" }));
    expect(Object.keys(await module.client.infer("text", input)).sort()).toEqual(["LENGTH", "TEXT"]);
    expect(await names()).toEqual(["TEXT", "LENGTH"]);
    await module.client.remove("text");
  });

  test("a dimension of batches may be there or not", async () => {
    await module.client.add("adder", { model_name: "add_sub", model_repository_path: served });
    const row = Array.from({ length: 16 }, (_, i) => i);
    const add = (...batch: number[]) => {
      const input = { ...floats(...row), shape: [...batch, 16].map(BigInt) };
      return module.client.infer("adder", { INPUT0: input, INPUT1: input });
    };
    for (const batch of [[], [1]]) {
      const { OUTPUT0 } = await add(...batch);
      expect(OUTPUT0).toMatchObject({
        shape: [...batch, 16].map(BigInt),
        tensor: { value: { data: row.map((x) => x * 2) } },
      });
    }
    expect((await module.client.metadata("adder")).inputInfo[0]).toMatchObject({ name: "INPUT0", shape: [1, 16] });
    await module.client.remove("adder");
  });

  test("wrong ones are the caller's mistake, told with what the model wants", async () => {
    await module.client.add("renamed", of("callee", { tensor_name_remappings: { inputs: { IN: "image" } } }));
    const { infer } = module.client;
    const wrong = (tensors: Parameters<typeof infer>[1]) => expect(module.client.infer("renamed", tensors)).rejects;
    await wrong({ IN: floats(1) }).toMatchObject({
      code: 3,
      details: expect.stringContaining('"image" (float32 [-1])'),
    });
    await wrong({ image: bytes(Uint8Array.of(1), 1) }).toMatchObject({ code: 3 });
    await wrong({ image: { ...floats(1), shape: [2n, 2n] } }).toMatchObject({ code: 3 });
    expect(await module.client.infer("renamed", { image: floats(1) })).toHaveProperty("OUT");
    await module.client.remove("renamed");
  });

  test("large ones go through shared memory, of which nothing stays in /dev/shm", async () => {
    const [server] = serversOf(module.pid);
    const mapped = () => readFileSync(`/proc/${server}/maps`, "utf8").match(/\/dev\/shm\/triton-viam-\d+-\S+/g) ?? [];
    await module.client.add("picture", of("picture"));
    const pixels = Uint8Array.from({ length: 1920 * 1080 * 3 }, (_, i) => i % 251);
    for (let i = 0; i < 5; i++) {
      pixels[0] = i;
      const { copy } = await module.client.infer("picture", { image: bytes(pixels, 1, 1080, 1920, 3) });
      expect(Buffer.compare(copy!.tensor.value!.data as Uint8Array, pixels)).toBe(0);
    }
    expect(new Set(mapped()).size).toBe(1);
    // The model reads it there, where the server may find memory that has no name any more; else it gets a copy.
    expect(isMappedBy(stubOf({ pid: server! }, "picture"), "/dev/shm/triton-viam-")).toBe(opensMappings);
    expect(readdirSync("/dev/shm").filter((name) => name.startsWith(`triton-viam-${module.pid}-`))).toEqual([]);
    await module.client.remove("picture");
  });
});

test("messages of 32 MiB go both ways; one that is too large is refused by itself", async () => {
  await module.client.add("huge", of("picture"));
  const send = (height: number, width: number) => {
    const pixels = new Uint8Array(height * width * 3).fill(height % 251);
    return module.client.infer("huge", { image: bytes(pixels, height, width, 3) });
  };
  const { copy } = await send(4096, 2731);
  const data = copy!.tensor.value!.data as Uint8Array;
  expect(data.byteLength).toBeGreaterThan(32 * 1024 * 1024);
  expect(Buffer.compare(data, new Uint8Array(data.byteLength).fill(4096 % 251))).toBe(0);
  await expect(send(4096, 5462)).rejects.toMatchObject({ code: 8 });
  expect(await send(1, 1)).toHaveProperty("copy");
  await module.client.remove("huge");
});

describe("calls", () => {
  test("a hundred are in flight at once, and none blocks another resource", async () => {
    const gate = new Gate();
    await module.client.add("waiting", of("gated", { model_parameters: { gate: path.join(gate.folder, "go") } }));
    await module.client.add("quick", of("callee"));
    let answered = 0;
    const calls = Array.from({ length: 100 }, async (_, i) => {
      const { OUT } = await module.client.infer("waiting", { IN: floats(i) });
      answered++;
      return (OUT!.tensor.value!.data as number[])[0];
    });
    await until(async () => (await module.client.status("waiting"))["calls_in_flight"] === 100, "a hundred calls");
    expect(answered).toBe(0);
    await module.client.infer("quick", { IN: floats(1) });
    expect(answered).toBe(0);
    gate.open();
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    await module.client.remove("quick");
  });

  const cancels = (name: string) => robot.log().split(`callee was cancelled ${name}`).length - 1;

  test("one that is cancelled is cancelled in the model", async () => {
    const patient = { model_parameters: { waitMs: 600_000, name: "by its caller" } };
    await module.client.reconfigure("waiting", of("callee", patient));
    const caller = new AbortController();
    const call = module.client.infer("waiting", { IN: floats(1) }, { signal: caller.signal, timeoutMs: 600_000 });
    const rejected = expect(call).rejects.toMatchObject({ code: 1 });
    await until(() => robot.log().includes("callee has begun by its caller"), "the call to arrive");
    caller.abort();
    await rejected;
    await until(() => cancels("by its caller") === 1, "the model to notice");
  });

  test("one whose time is up is cancelled in the model", async () => {
    const patient = { model_parameters: { waitMs: 600_000, name: "by its deadline" } };
    await module.client.reconfigure("waiting", of("callee", patient));
    const call = module.client.infer("waiting", { IN: floats(1) }, { timeoutMs: 4000 });
    await expect(call).rejects.toMatchObject({ code: 4 });
    await until(() => cancels("by its deadline") === 1, "the model to notice");
    await module.client.remove("waiting");
  });

  test("an error of the model comes with its code and words", async () => {
    const failing = { model_parameters: { error: "no such picture", code: "NOT_FOUND" } };
    await module.client.add("failing", of("callee", failing));
    await expect(module.client.infer("failing", { IN: floats(1) })).rejects.toMatchObject({
      code: 5,
      details: expect.stringContaining("no such picture"),
    });
    await module.client.remove("failing");
  });

  test("a streaming model answers with its first response, or is refused", async () => {
    await module.client.add("counting", of("counter"));
    const { OUT } = await module.client.infer("counting", { IN: floats(1e9, 1) });
    expect(OUT!.tensor.value!.data).toEqual([0]);
    await until(() => robot.log().includes("counter was cancelled"), "the stream to be cancelled");
    await until(() => /info counting: The model counter streams/.test(robot.log()), "what the module says of it");
    await expect(module.client.infer("counting", { IN: floats(0) })).rejects.toMatchObject({
      details: expect.stringContaining("without a response"),
    });
    const refused = module.client.reconfigure("counting", of("counter", { streaming: "refuse" }));
    await expect(refused).rejects.toMatchObject({ code: 9, details: expect.stringContaining("goes on") });
    expect(await module.client.infer("counting", { IN: floats(1) })).toHaveProperty("OUT");
    await module.client.remove("counting");
  });
});

describe("a change of configuration", () => {
  test("the old model answers until the new one is ready", async () => {
    await module.client.add("changing", of("callee"));
    let done = false;
    const change = module.client.reconfigure("changing", of("slow")).finally(() => {
      done = true;
    });
    const answers: number[] = [];
    while (!done) {
      const { OUT } = await module.client.infer("changing", { IN: floats(1) });
      answers.push((OUT!.tensor.value!.data as number[])[0]!);
      if (answers.length > 10) slowGate.open();
    }
    await change;
    expect(answers.filter((answer) => answer === 1).length).toBeGreaterThan(10);
    expect((await module.client.infer("changing", { IN: floats(1) }))["OUT"]!.tensor.value!.data).toEqual([7]);
  });

  test("one that fails leaves the old model in place and says why", async () => {
    const change = module.client.reconfigure("changing", of("broken"));
    await expect(change).rejects.toMatchObject({ details: expect.stringMatching(/broken on purpose.*goes on/s) });
    expect((await module.client.infer("changing", { IN: floats(1) }))["OUT"]!.tensor.value!.data).toEqual([7]);
    await module.client.remove("changing");
  });

  test("a resource that is removed while it is being added is not there afterwards", async () => {
    const added = module.client.add("early", of("endless"));
    const rejected = expect(added).rejects.toMatchObject({ code: 1 });
    await until(() => robot.log().includes("loading: endless:1"), "the load to begin");
    const removed = module.client.remove("early");
    await rejected;
    endlessGate.open();
    await removed;
    await expect(module.client.metadata("early")).rejects.toMatchObject({ code: 5 });
  });

  const versionOf = async (name: string) =>
    ((await module.client.infer(name, { IN: floats(1) }))["OUT"]!.tensor.value!.data as number[])[0];

  test("versions: the newest one, and those that resources ask for", async () => {
    await module.client.add("newest", of("versioned"));
    await module.client.add("first", of("versioned", { model_version: 1 }));
    await module.client.add("second", of("versioned", { model_version: 2 }));
    expect([await versionOf("newest"), await versionOf("first"), await versionOf("second")]).toEqual([10, 1, 2]);
    await expect(module.client.add("third", of("versioned", { model_version: 3 }))).rejects.toMatchObject({ code: 5 });
    expect([await versionOf("newest"), await versionOf("first")]).toEqual([10, 1]);
    for (const name of ["newest", "first", "second"]) await module.client.remove(name);
  });

  const repeats = Number(process.env["VIAM_RECONFIGURES"] ?? 40);

  test(`${repeats} of them leak no process, descriptor or memory`, { timeout: 3_600_000 }, async () => {
    await module.client.add("steady", of("callee"));
    const [server] = serversOf(module.pid);
    const descriptors = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;
    const rss = () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${module.pid}/status`, "utf8"))![1]);
    const count = () => [descriptors(module.pid), descriptors(server!), descendants(module.pid).length];
    const change = async (i: number) => {
      await module.client.reconfigure("steady", of(i % 2 === 0 ? "identity" : "callee"));
    };
    for (let i = 0; i < 10; i++) await change(i);
    // The model that was replaced is unloaded behind the answer. A connection more or less is no leak: one of each change is.
    const settled = async (limits: number[]) => {
      const now = () =>
        `${count()} ${descendants(module.pid).map((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8"))}`;
      const fits = () => count().every((value, at) => value <= limits[at]!) && descendants(module.pid).length === 2;
      await until(fits, `models to be unloaded (at most ${limits})`).catch((error: Error) => {
        throw new Error(`${error.message} There are ${now()}.`);
      });
      return count();
    };
    const before = await settled([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 2]);
    const memoryBefore = rss();
    for (let i = 0; i < repeats; i++) await change(i);
    await settled(before.map((value) => value + repeats / 2));
    expect(serversOf(module.pid)).toEqual([server]);
    // 64 KiB for each would be a leak that a thousand show.
    expect(rss() - memoryBefore).toBeLessThan(Math.max(64 * 1024, repeats * 64));
    await module.client.remove("steady");
  });
});

describe("a server", () => {
  test("that is killed under load is started again, and no call fails", async () => {
    await module.client.add("lasting", of("callee", { model_parameters: { waitMs: 50 } }));
    const [server] = serversOf(module.pid);
    let ended = false;
    const load = Array.from({ length: 8 }, async () => {
      while (!ended) {
        await module.client.infer("lasting", { IN: floats(1) });
      }
    });
    await until(async () => Number((await module.client.status("lasting"))["calls"]) > 50, "some calls");
    process.kill(server!, "SIGKILL");
    await until(async () => (await module.client.status("lasting"))["server_restarts"] === 1, "the server to be back");
    expect(await module.client.infer("lasting", { IN: floats(1) })).toHaveProperty("OUT");
    ended = true;
    await Promise.all(load);
    expect(serversOf(module.pid)).toHaveLength(1);
    await until(
      () => /error triton: The Triton server ended by itself \(SIGKILL\)/.test(robot.log()),
      "what the module says of it",
    );
  });

  test("that has just died is waited for, instead of failing the call", async () => {
    const [server] = serversOf(module.pid);
    process.kill(server!, "SIGKILL");
    await until(() => !isAlive(server!), "the server to end");
    expect(await module.client.infer("lasting", { IN: floats(2) })).toHaveProperty("OUT");
    await module.client.remove("lasting");
  });

  test("elsewhere is used as it is, and its models stay", async () => {
    const other = await startServer({
      models: ["callee", { name: "broken", config: oneFloat, files: { "1/model.ts": broken } }],
      modelControlMode: "explicit",
      loadModels: ["callee"],
    });
    await module.client.add("far", { model_name: "callee", server_url: other.grpcUrl });
    const big = Array.from({ length: 100_000 }, (_, i) => i);
    const { OUT } = await module.client.infer("far", { IN: floats(...big) });
    expect(OUT!.tensor.value!.data).toHaveLength(big.length);
    expect(readFileSync(`/proc/${other.pid}/maps`, "utf8")).toContain("/dev/shm/triton-viam-");
    await module.client.remove("far");
    await until(
      () => !readFileSync(`/proc/${other.pid}/maps`, "utf8").includes("/dev/shm/triton-viam-"),
      "memory to go",
    );
    expect(await other.isModelReady("callee")).toBe(true);
    const add = (model: string) =>
      module.client.add("far", { model_name: model, server_url: other.grpcUrl, start_timeout_seconds: 5 });
    await expect(add("caller")).rejects.toMatchObject({
      code: 5,
      details: 'The repository has no model "caller". Did you mean "callee"?',
    });
    await expect(add("broken")).rejects.toMatchObject({
      code: 14,
      details: expect.stringMatching(/"broken" is not ready.*broken on purpose/s),
    });
    await other.stop();
  });

  test("is gone when its module is killed, because the kernel ends it", async () => {
    const [ownRobot, own] = await startModule();
    await own.client.add("m", of("callee"));
    const [server] = serversOf(own.pid);
    const below = descendants(own.pid);
    // A process that is stopped notices nothing, and so cannot end by itself. Seen by hand: gone 22 ms after the module, at most.
    process.kill(server!, "SIGSTOP");
    await own.stop("SIGKILL");
    await until(() => !isAlive(server!), `the end of the server ${server}`);
    await until(() => below.every((pid) => !isAlive(pid)), `the end of ${below}`);
    ownRobot.close();
  });

  test("does not outlive its module, however that ends", async () => {
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      const [ownRobot, own] = await startModule();
      await own.client.add("m", of("callee"));
      const below = descendants(own.pid);
      expect(below.length).toBeGreaterThanOrEqual(2);
      await own.stop(signal);
      await until(() => below.every((pid) => !isAlive(pid)), `the end of ${below} after ${signal}`);
      ownRobot.close();
    }
  });

  test("whose model cannot be loaded says why, and the next try succeeds when that is mended", async () => {
    await expect(module.client.add("mended", of("broken"))).rejects.toMatchObject({
      details: expect.stringContaining("broken on purpose"),
    });
    writeFileSync(path.join(repository, "broken", "1", "model.ts"), versioned);
    await module.client.add("mended", of("broken"));
    expect(await module.client.infer("mended", { IN: floats(1) })).toHaveProperty("OUT");
    await module.client.remove("mended");
    await expect(module.client.add("mended", of("brocken"))).rejects.toMatchObject({
      details: expect.stringContaining("brocken"),
    });
  });
});
