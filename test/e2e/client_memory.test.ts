// SPDX-License-Identifier: Apache-2.0
// Inputs in memory that a client registered with the server: the model reads them where they are.
import {
  closeSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stubOf } from "./faults/bad_models.ts";
import {
  control,
  Gate,
  inferJson,
  isMappedBy,
  type ModelSpec,
  opensMappings,
  requestJson,
  startServer,
  type TestServer,
  until,
} from "./harness/index.ts";

/** What the input is found to be, by `case`; `OUT` is what the client gets back. */
const reader = (name: string, parameters = ""): ModelSpec => ({
  name,
  config: `
backend: "typescript"
input [
  { name: "IN", data_type: TYPE_INT32, dims: [ -1 ] },
  { name: "OTHER", data_type: TYPE_INT32, dims: [ -1 ], optional: true }
]
output [ { name: "OUT", data_type: TYPE_INT32, dims: [ -1 ] }, { name: "OTHER_OUT", data_type: TYPE_INT32, dims: [ -1 ] } ]
${parameters}`,
  files: {
    "1/model.ts": `
import { appendFileSync, existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliCompress } from "node:zlib";
import { InferenceResponse, Tensor, type InferenceRequest } from "triton-typescript";
export default class Reader {
  #kept = new Int32Array(1);
  async execute(requests: InferenceRequest[]) {
    return Promise.all(requests.map((request) => this.#answer(request)));
  }
  async #answer(request: InferenceRequest) {
    const { data } = request.input("IN", "INT32");
    const out = (values: Int32Array) => new InferenceResponse([new Tensor("OUT", values, [values.length])]);
    const { case: name, wait, gate } = request.parameters;
    if (name === "kept") return out(Int32Array.of(this.#kept.length));
    if (name !== "answer_kept" && name !== "forget_it") this.#kept = data;
    // One piece of output, so that another thread reads all of the input without coming back to JavaScript in between.
    if (name === "compress") brotliCompress(data, { chunkSize: 4 * data.byteLength }, () => {});
    if (name === "answer_kept") return out(this.#kept);
    if (name === "block_and_handle") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    if (name === "handle" || name === "block_and_handle") process.on("SIGSEGV", () => {});
    if (name === "sum") return out(Int32Array.of(data.reduce((sum, value) => sum + value, 0)));
    if (name === "write" || name === "handle") for (let i = 0; i < data.length; i++) data[i]! += 1;
    if (gate !== undefined) appendFileSync(gate + "/here", "+");
    while (gate !== undefined && !existsSync(gate + "/go")) await sleep(5);
    if (wait !== undefined) await sleep(Number(wait));
    if (name === "keep_sum_late") this.#kept = Int32Array.of(data.reduce((sum, value) => sum + value, 0));
    const other = request.optionalInput("OTHER", "INT32");
    if (name === "both") {
      return new InferenceResponse([
        new Tensor("OUT", data, [data.length]),
        new Tensor("OTHER_OUT", other!.data, [other!.data.length]),
      ]);
    }
    if (name === "other") return out(other!.data.slice());
    return out(data);
  }
}`,
  },
});

/** Passes its input on to the model `called`, and has less time than that takes. */
const relay: ModelSpec = {
  name: "relay",
  config: `
backend: "typescript"
input [ { name: "IN", data_type: TYPE_INT32, dims: [ -1 ] } ]
output [ { name: "OUT", data_type: TYPE_INT32, dims: [ -1 ] } ]
parameters { key: "EXECUTE_TIMEOUT_SECONDS" value { string_value: "3" } }`,
  files: {
    "1/model.ts": `
import { InferenceRequest } from "triton-typescript";
export default class Relay {
  async execute(requests: InferenceRequest[]) {
    const [{ inputs, parameters }] = requests as [InferenceRequest];
    const call = new InferenceRequest({ modelName: "called", inputs, parameters, requestedOutputs: ["OUT"] });
    return [await call.exec()];
  }
}`,
  },
};

let server: TestServer;
const names = new Set<string>();
const COUNT = 8192; // 32 KiB
const BYTES = COUNT * 4;

beforeAll(async () => {
  server = await startServer({
    modelControlMode: "explicit",
    loadModels: ["*"],
    models: [
      reader("reader"),
      reader("strict", 'parameters { key: "STRICT_VIEWS" value { string_value: "true" } }'),
      reader("overlapping", 'parameters { key: "MAX_IN_FLIGHT_BATCHES" value { string_value: "4" } }'),
      reader("called"),
      relay,
    ],
  });
});
afterAll(() => {
  for (const name of names) rmSync(path(name), { force: true });
});

const path = (name: string) => `/dev/shm/${name}`;
const ramp = (first: number, count = COUNT) => Int32Array.from({ length: count }, (_, i) => first + i);

/** A region of the client, registered under its own name. */
async function register(label: string, content: Int32Array): Promise<string> {
  const name = `client_${process.pid}_${label}`;
  names.add(name);
  writeFileSync(path(name), content);
  const body = { key: `/${name}`, offset: 0, byte_size: content.byteLength };
  const { status } = await requestJson(`${server.url}/v2/systemsharedmemory/region/${name}/register`, body);
  expect(status).toBe(200);
  return name;
}
async function unregister(name: string): Promise<void> {
  const { status } = await requestJson(`${server.url}/v2/systemsharedmemory/region/${name}/unregister`, {});
  expect(status).toBe(200);
  rmSync(path(name));
}
/** Writes into the region without giving it another file. */
function fill(name: string, content: Int32Array): void {
  const file = openSync(path(name), "r+");
  writeSync(file, new Uint8Array(content.buffer), 0, content.byteLength, 0);
  closeSync(file);
}
const held = (name: string) => {
  const content = readFileSync(path(name));
  return new Int32Array(content.buffer, content.byteOffset, content.byteLength / 4);
};

interface Where {
  region: string;
  offset?: number;
  count?: number;
}
const place = ({ region, offset = 0, count = COUNT }: Where) => ({
  shape: [count],
  parameters: { shared_memory_region: region, shared_memory_offset: offset, shared_memory_byte_size: count * 4 },
});
async function send(model: string, where: Where, parameters: Record<string, unknown> = {}, other?: Where) {
  const inputs = [{ name: "IN", datatype: "INT32", ...place(where) }];
  if (other !== undefined) inputs.push({ name: "OTHER", datatype: "INT32", ...place(other) });
  const { status, body } = await inferJson(server, model, { parameters, inputs, outputs: [{ name: "OUT" }] });
  return { status, error: body.error as string | undefined, out: Int32Array.from(body.outputs?.[0].data ?? []) };
}
/** Whether the process of a model has the file of the region in its memory, whatever its name leads to now. */
const isMapped = (model: string, region: string) => isMappedBy(stubOf(server, model), path(region));

describe.each(["reader", "strict", "overlapping"])("%s", (model) => {
  const label = (text: string) => `${model}_${text}`;

  test("an input is read where it is, and let go when it is not used any more", async () => {
    const region = await register(label("read"), ramp(1));
    expect((await send(model, { region })).out).toEqual(ramp(1));
    expect(isMapped(model, region)).toBe(true);
    fill(region, ramp(1000));
    expect((await send(model, { region })).out).toEqual(ramp(1000));
    await unregister(region);
    await until(() => !isMapped(model, region), "the end of the mapping");
  });

  // So that nothing is left behind by a client that dies. Where the server may not find the file any more, it is copied.
  test("a region whose name was taken away, and given to another file", async () => {
    const region = await register(label("nameless"), ramp(1));
    rmSync(path(region));
    for (let i = 0; i < 2; i++) expect((await send(model, { region })).out).toEqual(ramp(1));
    expect(isMapped(model, region)).toBe(opensMappings);
    writeFileSync(path(region), ramp(1000));
    expect((await send(model, { region })).out).toEqual(ramp(1));
    await unregister(region);
    await until(() => !isMapped(model, region), "the end of the mapping");
  });

  test("a region of the same name is another region", async () => {
    for (const first of [1, 2, 3]) {
      const region = await register(label("again"), ramp(first));
      expect((await send(model, { region })).out).toEqual(ramp(first));
      await unregister(region);
    }
  });

  test("regions that are new, one after the other, to a process that is busy", async () => {
    for (let round = 0; round < 4; round++) {
      const firsts = Array.from({ length: 12 }, (_, i) => 100 * round + i);
      const regions = await Promise.all(firsts.map((first) => register(label(`new_${first}`), ramp(first))));
      const replies = await Promise.all(regions.map((region) => send(model, { region }, { case: "sum" })));
      expect(replies.map(({ status, out }) => [status, ...out])).toEqual(
        firsts.map((first) => [200, ramp(first).reduce((sum, value) => sum + value)]),
      );
      await Promise.all(regions.map(unregister));
    }
  });

  test("a part of an input, of a region of another size", async () => {
    const region = await register(label("part"), ramp(0, 3 * COUNT + 5));
    const { out } = await send(model, { region, offset: BYTES + 8, count: COUNT + 3 });
    expect(out).toEqual(ramp(COUNT + 2, COUNT + 3));
    expect((await send(model, { region, offset: BYTES + 8 }, { case: "sum" })).out).toEqual(
      Int32Array.of(ramp(COUNT + 2).reduce((sum, value) => sum + value)),
    );
    await unregister(region);
  });

  test("outputs that the client wants where its inputs are", async () => {
    const region = await register(label("swap"), ramp(0, 2 * COUNT));
    const [first, second] = [place({ region }), place({ region, offset: BYTES })];
    const { status, body } = await inferJson(server, model, {
      parameters: { case: "both" },
      inputs: [
        { name: "IN", datatype: "INT32", ...first },
        { name: "OTHER", datatype: "INT32", ...second },
      ],
      outputs: [
        { name: "OUT", parameters: second.parameters },
        { name: "OTHER_OUT", parameters: first.parameters },
      ],
    });
    expect({ status, error: body.error }).toEqual({ status: 200, error: undefined });
    expect(held(region)).toEqual(Int32Array.from([...ramp(COUNT), ...ramp(0)]));
    await unregister(region);
  });

  test("an offset that an array of JavaScript cannot begin at", async () => {
    const region = await register(label("odd"), ramp(0, 2 * COUNT));
    expect((await send(model, { region, offset: 4 })).out).toEqual(ramp(1));
    await unregister(region);
  });

  test("the memory is shared with no one else, nor is a stub's life", async () => {
    const stub = stubOf(server, model);
    const region = await register(label("cut"), ramp(1, 4 * COUNT));
    expect((await send(model, { region, count: 4 * COUNT }, { case: "sum" })).status).toBe(200);
    const file = openSync(path(region), "r+");
    ftruncateSync(file, BYTES);
    closeSync(file);
    const { status, error } = await send(model, { region, count: 4 * COUNT }, { case: "sum" });
    expect({ status, error }).toEqual({
      status: 400,
      error: expect.stringMatching(/^Input 'IN' lies in a shared memory region that was cut short/),
    });
    // Whole again, and used all the time.
    fill(region, ramp(5, 4 * COUNT));
    for (let i = 0; i < 3; i++) {
      const sum = ramp(5, 4 * COUNT).reduce((all, value) => all + value);
      expect((await send(model, { region, count: 4 * COUNT }, { case: "sum" })).out).toEqual(Int32Array.of(sum));
    }
    const whole = await register(label("whole"), ramp(7));
    expect((await send(model, { region: whole })).out).toEqual(ramp(7));
    expect(stubOf(server, model)).toBe(stub);
    await unregister(region);
    await unregister(whole);
  });
});

// The last of these, as a model that has written into an input is lent none any more.
describe.each(["reader", "strict", "overlapping"])("%s writes into its inputs", (model) => {
  const label = (text: string) => `${model}_${text}`;

  test("the client does not see it, nor does the next request", async () => {
    const stub = stubOf(server, model);
    const region = await register(label("write"), ramp(1));
    for (let i = 0; i < 3; i++) {
      expect((await send(model, { region }, { case: "write" })).out).toEqual(ramp(2));
      expect(held(region)).toEqual(ramp(1));
      expect((await send(model, { region })).out).toEqual(ramp(1));
    }
    fill(region, ramp(50));
    expect((await send(model, { region })).out).toEqual(ramp(50));
    expect(stubOf(server, model)).toBe(stub);
    await unregister(region);
  });
});

describe("a fresh process", () => {
  // Each of these is about the first write into an input, which a process sees once.
  const fresh = async (model: string) => {
    const before = stubOf(server, model);
    for (const action of ["unload", "load"] as const) {
      expect((await control(server, action, model)).status).toBe(200);
    }
    const isFresh = async () =>
      ![undefined, before].includes(stubOf(server, model)) &&
      (await fetch(`${server.url}/v2/models/${model}/ready`)).ok;
    await until(isFresh, `${model} to be ready in a new process`);
  };

  test("two inputs of the same bytes: what is written into one does not show in the other", async () => {
    await fresh("reader");
    const region = await register("twice", ramp(1));
    expect((await send("reader", { region }, { case: "write" }, { region })).out).toEqual(ramp(2));
    await fresh("reader");
    expect((await send("reader", { region }, { case: "other" }, { region })).out).toEqual(ramp(1));
    await unregister(region);
  });

  test("requests of the same bytes at the same time", async () => {
    await fresh("overlapping");
    const region = await register("together", ramp(1));
    const slow = send("overlapping", { region }, { case: "write", wait: 300 });
    const others = await Promise.all([1, 2, 3].map(() => send("overlapping", { region }, { wait: 100 })));
    for (const { out } of others) expect(out).toEqual(ramp(1));
    expect((await slow).out).toEqual(ramp(2));
    await unregister(region);
  });

  test("memory that a client uses again while another request that wrote is still busy", async () => {
    await fresh("overlapping");
    const region = await register("reused", ramp(1, 2 * COUNT));
    const slow = send("overlapping", { region, offset: BYTES }, { wait: 500 });
    expect((await send("overlapping", { region }, { case: "write" })).out).toEqual(ramp(2));
    fill(region, ramp(100));
    expect((await send("overlapping", { region })).out).toEqual(ramp(100));
    expect((await slow).out).toEqual(ramp(1 + COUNT));
    await unregister(region);
  });

  test.each(["SIGSEGV", "SIGBUS"] as const)(
    "a %s that is not about a client's memory ends the process as ever",
    async (signal) => {
      await fresh("reader");
      const region = await register(`signal_${signal}`, ramp(1));
      await send("reader", { region });
      const stub = stubOf(server, "reader")!;
      process.kill(stub, signal);
      await until(() => ![undefined, stub].includes(stubOf(server, "reader")), "another process");
      expect((await send("reader", { region })).out).toEqual(ramp(1));
      expect(isMapped("reader", region)).toBe(true);
      await unregister(region);
    },
  );

  test("a model that handles the signals itself may write into its inputs", async () => {
    await fresh("reader");
    const region = await register("handled", ramp(1));
    expect((await send("reader", { region })).out).toEqual(ramp(1));
    for (let i = 0; i < 3; i++) {
      expect((await send("reader", { region }, { case: i === 0 ? "handle" : "write" })).out).toEqual(ramp(2));
      expect(held(region)).toEqual(ramp(1));
      expect((await send("reader", { region })).out).toEqual(ramp(1));
    }
    await unregister(region);
  });

  test("a region that comes while a model begins to handle the signals itself", async () => {
    await fresh("overlapping");
    const [first, second] = [await register("before", ramp(1)), await register("meanwhile", ramp(1))];
    await send("overlapping", { region: first });
    const blocked = send("overlapping", { region: first }, { case: "block_and_handle" });
    await sleep(200);
    expect((await send("overlapping", { region: second }, { case: "write" })).out).toEqual(ramp(2));
    expect((await blocked).out).toEqual(ramp(1));
    expect(held(second)).toEqual(ramp(1));
    await unregister(first);
    await unregister(second);
  });

  test("a file that is registered twice, for an input and for the output that the model makes of it", async () => {
    await fresh("reader");
    for (const shift of [8, 64, 4096]) {
      const region = await register("twice", ramp(0, 2 * COUNT));
      const alias = `${region}_alias`;
      const body = { key: region, offset: 0, byte_size: 2 * BYTES }; // without the slash: another name to the server
      expect((await requestJson(`${server.url}/v2/systemsharedmemory/region/${alias}/register`, body)).status).toBe(
        200,
      );
      const target = place({ region: alias, offset: shift }).parameters;
      const { status } = await inferJson(server, "reader", {
        inputs: [{ name: "IN", datatype: "INT32", ...place({ region }) }],
        outputs: [{ name: "OUT", parameters: target }],
      });
      expect(status).toBe(200);
      expect(held(region).subarray(shift / 4, shift / 4 + COUNT)).toEqual(ramp(0));
      await requestJson(`${server.url}/v2/systemsharedmemory/region/${alias}/unregister`, {});
      await unregister(region);
    }
  });

  test("a client that cuts its file short while a model that only passes it on is busy, and sends it once more", async () => {
    await fresh("reader");
    const region = await register("shorter", ramp(1, 4 * COUNT));
    const where = { region, count: 4 * COUNT };
    const cut = () => {
      const file = openSync(path(region), "r+");
      ftruncateSync(file, BYTES);
      closeSync(file);
    };
    const gate = new Gate();
    const late = send("reader", where, { gate: gate.folder });
    await gate.arrivals(1, server);
    cut();
    gate.open();
    const refusal = /lies in a shared memory region that was cut short while the request was served\./;
    for (const reply of [late, send("reader", where), send("reader", where, { case: "sum" })]) {
      expect(await reply).toMatchObject({ status: 400, error: expect.stringMatching(refusal) });
    }
    await fresh("reader"); // which has never seen it whole
    for (const name of ["sum", "plain", "sum"]) {
      const { status, error } = await send("reader", where, { case: name });
      expect({ status, error }).toEqual({ status: 400, error: expect.stringMatching(refusal) });
    }
    fill(region, ramp(1, 4 * COUNT));
    expect((await send("reader", where)).out).toEqual(ramp(1, 4 * COUNT));
    await unregister(region);
  });

  test("what goes on with an input after the answer, and a view that is answered too late, harm nobody", async () => {
    await fresh("reader");
    const count = 1 << 21;
    const large = Int32Array.from({ length: count }, (_, i) => Math.imul(i, 0x9e3779b1));
    const region = await register("later", large);
    await send("reader", { region, count }, { case: "compress" });
    const stub = stubOf(server, "reader");
    await until(() => !isMapped("reader", region), "the end of the mapping", 240_000, server);
    const other = await register("late", ramp(1));
    const replies = await Promise.all(
      ["answer_kept", "forget_it", "forget_it"].map((name) => send("reader", { region: other }, { case: name })),
    );
    expect(replies.map(({ status, out }) => [status, out.length])).toEqual([
      [200, 0],
      [200, COUNT],
      [200, COUNT],
    ]);
    expect(stubOf(server, "reader")).toBe(stub);
    await unregister(region);
    await unregister(other);
  });

  test("a view that is kept is empty once the region is gone", async () => {
    await fresh("reader");
    const region = await register("kept", ramp(1));
    await send("reader", { region });
    const stub = stubOf(server, "reader");
    await unregister(region);
    await until(() => !isMapped("reader", region), "the end of the mapping");
    const other = await register("other", ramp(1));
    expect((await send("reader", { region: other }, { case: "kept" })).out).toEqual(Int32Array.of(0));
    expect(stubOf(server, "reader")).toBe(stub);
    await unregister(other);
  });
});

describe("a model that is called", () => {
  // The response cache would keep the answer to what the client wrote next under the request of before.
  test("reads what was sent, also when the client has its memory back before the call is over", async () => {
    const region = await register("relayed", ramp(1));
    const { status, error } = await send("relay", { region }, { case: "keep_sum_late", wait: 9000 });
    expect([status, error]).toEqual([503, expect.stringContaining("EXECUTE_TIMEOUT_SECONDS")]);
    fill(region, ramp(5000));
    truncateSync(path(region));
    const kept = async () => (await send("called", { region: spare }, { case: "answer_kept" })).out;
    const spare = await register("spare", ramp(0));
    await until(async () => (await kept()).length === 1, "the model that was called to be done", 60_000, server);
    expect(await kept()).toEqual(Int32Array.of(ramp(1).reduce((sum, value) => sum + value)));
    await unregister(region);
    await unregister(spare);
  });
});
