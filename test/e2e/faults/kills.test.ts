// SPDX-License-Identifier: Apache-2.0
// Processes are killed under load: each request is answered once, the others go on, and nothing is left behind.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  childrenOf,
  type Protocol,
  startServer,
  type TestServer,
  TritonClient,
  tensor,
  until,
} from "../harness/index.ts";
import { bad, control, gone, infer, stubOf, unload, waitForStub } from "./bad_models.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "triton-typescript-kills-"));
afterAll(() => rmSync(folder, { recursive: true }));

const parameter = (key: string, value: string) => `parameters { key: "${key}" value { string_value: "${value}" } }\n`;
/** The model `counts`, which notes its life in a file, under another name. */
const counts = (name: string, more = "") => bad("counts", parameter("NOTES", path.join(folder, name)) + more, name);
/** How often a model noted a step of its life. */
const noted = (name: string, step: string) =>
  readFileSync(path.join(folder, name), "utf8")
    .split("\n")
    .filter((line) => line.startsWith(step)).length;

/** Clients that send one request after another, over HTTP and gRPC, until they are stopped. */
class Load {
  readonly good: number[] = [];
  readonly errors: string[] = [];
  readonly #client: TritonClient;
  readonly #workers: Promise<void>[];
  #stopped = false;
  #sent = 0;

  constructor(server: TestServer, model: string, workers = 8, waitMs = 0) {
    this.#client = new TritonClient(server);
    this.#workers = Array.from({ length: workers }, (_, i) => this.#run(i % 2 === 0 ? "http" : "grpc", model, waitMs));
  }

  async #run(protocol: Protocol, model: string, waitMs: number): Promise<void> {
    while (!this.#stopped) {
      const mark = ++this.#sent;
      try {
        const reply = await this.#client.infer(protocol, model, { inputs: [tensor("IN", "FP32", [waitMs, mark])] });
        const [pid, wait, echo] = Array.from(reply.output("OUT").data as Float32Array);
        // An answer is that of its own request, whatever else is going on.
        if (wait !== waitMs || echo !== mark) this.errors.push(`sent ${mark}, got ${wait} ${echo}`);
        else this.good.push(pid!);
      } catch (error) {
        this.errors.push((error as Error).message);
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#workers);
    this.#client.close();
    // Every request had one answer.
    expect(this.good.length + this.errors.length).toBe(this.#sent);
  }
}

const unhealthy = (model: string) =>
  new RegExp(`Stub process '${model}(_0)?_\\d' is not healthy\\. It was killed by signal 9 \\(Killed\\)\\. `);

describe("kill -9 under load", () => {
  let server: TestServer;
  const group = "instance_group [ { count: 2 kind: KIND_CPU } ]\n";
  beforeAll(async () => {
    const models = [
      counts("one"),
      counts("two", group),
      counts("overlapped", parameter("MAX_IN_FLIGHT_BATCHES", "16")),
      counts("backs_off"),
      bad("good"),
    ];
    server = await startServer({ models, backendConfig: ["typescript,restart-backoff-ms=100"] });
  });

  test.each([
    ["one", 5, 1], // a model that answers at once may have no request in flight
    ["overlapped", 20, 3],
  ])("%s: requests in flight get the error, later ones succeed", async (model, waitMs, deaths) => {
    const load = new Load(server, model, 8, waitMs);
    for (let i = 0; i < deaths; i++) {
      const before = await waitForStub(server, model);
      const seen = load.good.length;
      await until(() => load.good.length > seen + 20, "answers", 60_000, server);
      process.kill(before, "SIGKILL");
      const after = await waitForStub(server, model, before);
      await until(() => load.good.includes(after), "answers of the new process", 60_000, server);
    }
    await load.stop();
    expect(load.errors.length).toBeGreaterThan(0);
    for (const message of load.errors) expect(message).toMatch(unhealthy(model));
    expect(noted(model, "initialize")).toBe(deaths + 1);
    expect(noted(model, "finalize")).toBe(0);
    expect(server.isRunning).toBe(true);
  });

  test("two instances: the other one goes on", async () => {
    const [first, second] = [await waitForStub(server, "two", 0, 0), await waitForStub(server, "two", 0, 1)];
    const load = new Load(server, "two", 8);
    await until(() => load.good.includes(first) && load.good.includes(second), "answers of both", 60_000, server);
    process.kill(first, "SIGKILL");
    await gone([first]);
    const seen = load.good.length;
    await until(() => load.good.slice(seen).includes(second), "answers of the other one", 60_000, server);
    const after = await waitForStub(server, "two", first, 0);
    await until(() => load.good.includes(after), "answers of the new one", 60_000, server);
    await load.stop();
    for (const message of load.errors) expect(message).toMatch(unhealthy("two"));
    expect(stubOf(server, "two", 1)).toBe(second);
    expect(noted("two", "initialize")).toBe(3);
  });

  test("repeated kills lead to longer waits, and requests fail at once meanwhile", async () => {
    const waits = () =>
      server.logLines("'backs_off_0' is restarted in").map((line) => Number(/in (\d+) ms/.exec(line)![1]));
    let before = 0;
    let refused = false;
    // On a busy machine a process may live for the 10 s after which its death is no quick one: the waits begin anew then.
    while (!refused || !waits().join().includes("100,200,400")) {
      before = await waitForStub(server, "backs_off", before);
      await until(async () => (await infer(server, "backs_off", [0])).status === 200, "an answer", 60_000, server);
      process.kill(before, "SIGKILL");
      await gone([before]);
      const { status, error } = await infer(server, "backs_off", [0]);
      refused = status === 503 && waits().at(-1)! >= 400;
      if (refused) expect(error).toMatch(unhealthy("backs_off"));
    }
    await waitForStub(server, "backs_off", before);
    await until(async () => (await infer(server, "backs_off", [0])).status === 200, "an answer", 60_000, server);
    expect((await infer(server, "good", [4])).values).toEqual([4]);
  });

  test("a process that is stopped for a while answers when it goes on", async () => {
    const pid = await waitForStub(server, "overlapped");
    const load = new Load(server, "overlapped", 8, 1);
    await until(() => load.good.length > 20, "answers", 60_000, server);
    process.kill(pid, "SIGSTOP");
    await sleep(300);
    process.kill(pid, "SIGCONT");
    const seen = load.good.length;
    await until(() => load.good.length > seen + 20, "answers", 60_000, server);
    await load.stop();
    expect(load.errors).toEqual([]);
  });

  test("a kill during load and reload of many models", async () => {
    const load = [new Load(server, "one", 4), new Load(server, "overlapped", 4, 2), new Load(server, "two", 4)];
    for (const model of ["one", "overlapped", "two"]) {
      const before = await waitForStub(server, model);
      process.kill(before, "SIGKILL");
      await waitForStub(server, model, before);
    }
    await sleep(500);
    await Promise.all(load.map((one) => one.stop()));
    for (const message of load.flatMap(({ errors }) => errors)) expect(message).toContain("is not healthy");
  });
});

describe("an instance that is down for long", () => {
  test("does not draw the requests away from the others", async () => {
    const group = "instance_group [ { count: 2 kind: KIND_CPU } ]";
    const models = [bad("counts", group)];
    const server = await startServer({ models, backendConfig: ["typescript,restart-backoff-ms=60000"] });
    const isDown = () => server.log().includes("'counts_0_0' is restarted in 30000 ms");
    const restarts = () => server.logLines("'counts_0_0' was restarted.").length;
    // It is down after two quick deaths; on a busy machine the first one may not be quick.
    while (!isDown()) {
      const before = restarts();
      process.kill(await waitForStub(server, "counts"), "SIGKILL");
      await until(() => isDown() || restarts() > before, "a restart, or none for long", 60_000, server);
    }
    let failed = 0;
    const begun = performance.now();
    for (let i = 0; i < 200; i++) {
      const { status, error } = await infer(server, "counts", [0]);
      if (status === 200) continue;
      expect(error).toMatch(/^Stub process 'counts_0_\d' is not healthy\. .*killed by signal 9 \(Killed\)/);
      failed++;
    }
    // It pauses for 100 ms after each, and so gets no more than one in that time, however few a busy machine sends.
    expect(failed).toBeLessThanOrEqual(1 + (performance.now() - begun) / 100);
    await until(async () => (await infer(server, "counts", [0])).status === 200, "an answer", 60_000, server);
    await unload(server, "counts").catch(() => {});
    await server.stop();
  });
});

describe("a restart that does not go well", () => {
  const failing = (name: string, again: string) => {
    const notes = path.join(folder, name);
    return bad("restart_fails", parameter("NOTES", notes) + parameter("AGAIN", again), name);
  };

  test("is tried again, and meanwhile requests say why", async () => {
    const server = await startServer({
      models: [failing("fails_again", "throws")],
      backendConfig: ["typescript,restart-backoff-ms=300"],
    });
    const before = await waitForStub(server, "fails_again");
    process.kill(before, "SIGKILL");
    await server.waitForLog("Restarting a stub process failed");
    const { status, error } = await infer(server, "fails_again");
    expect(status).toBe(503);
    expect(error).toMatch(/^Stub process 'fails_again_0' is not healthy\. Its restart failed: .*broken start \d/);
    await until(() => noted("fails_again", "start") >= 3, "two starts that fail", 60_000, server);
    writeFileSync(path.join(folder, "fails_again.mended"), "");
    await until(async () => (await infer(server, "fails_again")).status === 200, "an answer", 60_000, server);
    expect(stubOf(server, "fails_again")).not.toBe(before);
    await server.kill();
  });

  test("does not hold up an unload, nor the end of the server", async () => {
    const names = ["hangs_again", "hangs_at_the_end"];
    const server = await startServer({
      models: names.map((name) => failing(name, "hangs")),
      modelControlMode: "explicit",
      loadModels: names,
    });
    const stubs: number[] = [];
    for (const name of names) {
      const before = await waitForStub(server, name);
      process.kill(before, "SIGKILL");
      await gone([before]);
      await until(() => noted(name, "start") === 2, "the second start", 60_000, server);
      stubs.push(...childrenOf(server.pid));
    }
    await unload(server, "hangs_again");
    expect((await server.stop()).code).toBe(0);
    await gone(stubs);
  });
});

describe("reload under load", () => {
  test("every request is answered by the old or the new process", async () => {
    const models = [counts("reloaded"), bad("good")];
    const loadModels = ["reloaded", "good"];
    const server = await startServer({ models, modelControlMode: "explicit", loadModels });
    const load = new Load(server, "reloaded", 6);
    for (let i = 0; i < 4; i++) {
      const before = await waitForStub(server, "reloaded");
      // A newer file makes the server load the model again.
      const { utimesSync } = await import("node:fs");
      const now = new Date(Date.now() + i * 1000);
      utimesSync(path.join(server.repository, "reloaded/1/model.ts"), now, now);
      expect(await control(server, "load", "reloaded")).toBe("");
      await waitForStub(server, "reloaded", before);
      await gone([before]);
    }
    await load.stop();
    expect(load.errors).toEqual([]);
    expect(noted("reloaded", "initialize")).toBe(5);
    expect(noted("reloaded", "finalize")).toBe(4);
    await unload(server, "reloaded");
    expect(noted("reloaded", "finalize")).toBe(5);
    await server.stop();
  });
});

describe("the end of the server", () => {
  test("SIGKILL, several times and with many families", async () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    for (let round = 0; round < 3; round++) {
      const server = await startServer({ models: names.map((name) => bad("children", "", name)) });
      const families = await Promise.all(names.map(async (name) => (await infer(server, name)).values));
      await server.kill();
      await gone(families.flat());
    }
  });

  const shared = () => readdirSync("/dev/shm").sort();

  test.each(["SIGKILL", "SIGTERM", "SIGINT"] as const)("%s: nothing is left", async (signal) => {
    const before = shared();
    const model = `ended_by_${signal}`;
    const server = await startServer({ models: [counts(model), bad("children")] });
    expect((await infer(server, model, [0])).status).toBe(200);
    const { values: family } = await infer(server, "children");
    const stubs = [await waitForStub(server, model), await waitForStub(server, "children")];
    const { code } = await server.stop(signal);
    if (signal !== "SIGKILL") expect(code).toBe(0);
    await gone([...stubs, ...family]);
    // What others on this machine put there in the meantime is not ours.
    expect(shared().filter((name) => !before.includes(name) && /triton|typescript|tsb/.test(name))).toEqual([]);
    expect(noted(model, "finalize")).toBe(signal === "SIGKILL" ? 0 : 1);
  });
});
