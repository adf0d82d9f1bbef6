// SPDX-License-Identifier: Apache-2.0
// Models that do not answer, block, print, vandalise their process or do not want to end.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Gate, isAlive, startServer, type TestServer, until } from "../harness/index.ts";
import { type Answer, bad, gone, infer, inferCase, stubOf, unload, waitForStub } from "./bad_models.ts";

describe("hanging and blocking", () => {
  let server: TestServer;
  beforeAll(async () => {
    const limit = 'parameters { key: "EXECUTE_TIMEOUT_SECONDS" value { string_value: "5" } }';
    const models = [...["hangs", "hangs_overlapped", "blocks", "good"].map((name) => bad(name)), bad("counts", limit)];
    server = await startServer({ models, backendConfig: ["typescript,restart-backoff-ms=1"] });
  });
  const timedOut = {
    status: 503,
    error: expect.stringContaining("did not answer within 1 seconds (EXECUTE_TIMEOUT_SECONDS)"),
  };

  test.each([
    ["hangs", "a promise that never settles", 1],
    ["hangs", "a blocked event loop", 2],
    ["hangs_overlapped", "a promise that never settles", 1],
    ["hangs_overlapped", "a blocked event loop", 2],
  ])("%s: %s is given up after EXECUTE_TIMEOUT_SECONDS", async (model, _what, how) => {
    const before = await waitForStub(server, model);
    expect(await infer(server, model, [how])).toMatchObject(timedOut);
    await waitForStub(server, model, before);
    await until(async () => (await infer(server, model, [7])).values[0] === 7, "an answer");
  });

  test("hangs_overlapped: the answers to other batches do not keep a hung one alive", async () => {
    let ended = false;
    const hung = infer(server, "hangs_overlapped", [1]).finally(() => {
      ended = true;
    });
    const others: Answer[] = [];
    while (!ended && others.length < 100_000) others.push(await infer(server, "hangs_overlapped", [8]));
    expect(await hung).toMatchObject(timedOut);
    expect(others.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
  });

  test("a batch that waited behind another one has its whole time", async () => {
    // Short ones first: an instance whose batches are short is given the next one early.
    for (let i = 0; i < 50; i++) expect((await infer(server, "counts", [0])).status).toBe(200);
    const slow = await Promise.all([1, 2, 3].map((mark) => infer(server, "counts", [2600, mark])));
    expect(slow.map(({ error }) => error)).toEqual(["", "", ""]);
    expect(slow.map(({ values }) => values[2])).toEqual([1, 2, 3]);
  });

  test("a stopped process is given up, too", async () => {
    const before = await waitForStub(server, "hangs");
    process.kill(before, "SIGSTOP");
    expect(await infer(server, "hangs", [7])).toMatchObject(timedOut);
    await gone([before]);
    await until(async () => (await infer(server, "hangs", [7])).values[0] === 7, "an answer");
  });

  test("a blocked event loop holds up its own instance only", async () => {
    const gate = new Gate();
    const slow = infer(server, "blocks", [1], { gate: gate.folder });
    await gate.arrivals(1, server);
    const others = Promise.all(Array.from({ length: 10 }, async () => (await infer(server, "blocks")).values[0]!));
    for (let i = 0; i < 20; i++) expect((await infer(server, "good", [i])).values).toEqual([i]);
    const early = await others; // while the slow one is blocked
    gate.open();
    const [held] = (await slow).values;
    expect(early).toHaveLength(10);
    expect(early).not.toContain(held);
    const instances = [stubOf(server, "blocks", 0)!, stubOf(server, "blocks", 1)!];
    for (const pid of early) expect(instances).toContain(pid);
    expect(instances).toContain(held);
  });
});

describe("the end of a server whose model hangs", () => {
  test("an unload waits for the batch, the others go on, and the server ends without leaving anything", async () => {
    const models = [bad("hangs_for_ever"), bad("good")];
    const args = ["--exit-timeout-secs=2"];
    const loadModels = ["hangs_for_ever", "good"];
    const server = await startServer({ models, modelControlMode: "explicit", loadModels, args });
    const hung = infer(server, "hangs_for_ever", [1]).catch(() => "cut off");
    await until(async () => stubOf(server, "hangs_for_ever") !== undefined, "the process");
    const stubs = [stubOf(server, "hangs_for_ever")!, stubOf(server, "good")!];
    await fetch(`${server.url}/v2/repository/models/hangs_for_ever/unload`, { method: "POST" });
    expect((await infer(server, "good", [3])).values).toEqual([3]);
    await server.stop();
    await gone(stubs);
    expect(await hung).toBeDefined();
  });

  test("a stopped process does not outlive a server that is killed", async () => {
    const server = await startServer({ models: [bad("good"), bad("hangs_for_ever")] });
    const stubs = [stubOf(server, "good")!, stubOf(server, "hangs_for_ever")!];
    void infer(server, "hangs_for_ever", [2]).catch(() => {});
    await sleep(100);
    process.kill(stubs[0]!, "SIGSTOP");
    await server.kill();
    await gone(stubs);
  });
});

describe("noise", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ models: [bad("noisy"), bad("good")], args: ["--log-verbose=0"] });
  });

  test("megabytes in lines reach the log, all of them, and the request is answered", async () => {
    const { values } = await inferCase(server, "noisy", "lines");
    await server.waitForLog("line 19999 of very many");
    expect(server.log().match(/"\[noisy_0\] line \d+ of very many: x{200}"$/gm)).toHaveLength(20_000);
    expect((await inferCase(server, "noisy", "nothing")).values).toEqual(values);
    expect((await infer(server, "good", [1])).values).toEqual([1]);
  });

  test("a line of 5 MB reaches the log in pieces", async () => {
    expect((await inferCase(server, "noisy", "one_line")).status).toBe(200);
    const piecesOf = (log: string) => log.match(/y{100,}/g) ?? [];
    // What is left of it when the next line ends it comes with that line.
    await inferCase(server, "noisy", "levels");
    await until(() => piecesOf(server.log()).join("").length >= 5_000_000, "the whole line", 60_000, server);
    const pieces = piecesOf(server.log());
    expect(pieces.join("")).toHaveLength(5_000_000);
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThanOrEqual(4096);
  });

  test("bytes that are no text do no harm", async () => {
    expect((await inferCase(server, "noisy", "bytes")).status).toBe(200);
  });

  test("console methods have the level that they stand for", async () => {
    await inferCase(server, "noisy", "levels");
    for (const text of ["by info", "by warn", "by error"]) await server.waitForLog(`"[noisy_0] said ${text}"`);
    await server.waitForLog('"[noisy_0] written to stderr"');
    expect(server.logLines('"[noisy_0] said by info"')[0]).toMatch(/^I/);
    expect(server.logLines('"[noisy_0] said by warn"')[0]).toMatch(/^W/);
    expect(server.logLines('"[noisy_0] said by error"')[0]).toMatch(/^E/);
    expect(server.logLines('"[noisy_0] written to stderr"')[0]).toMatch(/^W/);
  });

  test("a model that closes its output goes on in silence", async () => {
    const { status, values } = await inferCase(server, "noisy", "closed");
    expect(status).toBe(200);
    expect((await inferCase(server, "noisy", "lines")).values).toEqual(values);
  });
});

describe("vandals and models that do not want to end", () => {
  let server: TestServer;
  const names = ["vandal", "finalize_throws", "finalize_never_settles", "finalize_waits", "good"];
  beforeAll(async () => {
    server = await startServer({
      models: names.map((name) => bad(name)),
      modelControlMode: "explicit",
      loadModels: names,
      backendConfig: ["typescript,stub-timeout-seconds=10"],
    });
  });
  afterAll(() => server.kill());

  test("a model that changes title, folder, umask and environment of its process, and prototypes", async () => {
    for (let i = 0; i < 3; i++) expect((await infer(server, "vandal", [5, 6])).values).toEqual([5, 6]);
  });

  test("a model that breaks the language under the runtime gets errors or answers, never silence", async () => {
    for (let i = 0; i < 5; i++) {
      const { status, error, values } = await infer(server, "vandal", [1, 6]);
      if (status === 200) expect(values).toEqual([1, 6]);
      else expect(error).not.toBe("");
    }
    expect((await infer(server, "good", [1])).values).toEqual([1]);
  });

  test.each([
    ["finalize_throws", "broken finalize"],
    ["finalize_never_settles", "finalize returned a promise that nothing is left to settle"],
    ["finalize_waits", "did not answer within 10 seconds while it was in the model's finalize"],
    ["vandal", ""],
  ])("%s is unloaded all the same", async (name, words) => {
    const stub = name === "vandal" ? undefined : stubOf(server, name)!;
    await unload(server, name);
    if (words !== "") await server.waitForLog(words);
    if (stub !== undefined) await gone([stub]);
    expect((await infer(server, "good", [1])).values).toEqual([1]);
  });

  test("the server ends in order", async () => {
    const stub = stubOf(server, "good")!;
    expect((await server.stop()).code).toBe(0);
    expect(isAlive(stub)).toBe(false);
  });
});
