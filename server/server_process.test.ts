// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { tritonArguments } from "./arguments.ts";
import type { Installation } from "./installation.ts";
import { freePorts } from "./ports.ts";
import { childrenOf } from "./processes.ts";
import { logFile } from "./server_log.ts";
import { ServerProcess } from "./server_process.ts";
import { fakeServer, scratchFolder } from "./testing/scratch.ts";

describe("a server process", () => {
  let scratch: ReturnType<typeof scratchFolder>;
  let log: string;
  let args: string[];
  let server: ServerProcess | undefined;

  beforeEach(async () => {
    scratch = scratchFolder();
    log = path.join(scratch.folder, "server.log");
    const [httpPort, grpcPort, metricsPort] = (await freePorts(3)).map(String);
    args = tritonArguments({ repositories: [], options: { httpPort, grpcPort, metricsPort }, extra: [] });
  });
  afterEach(async () => {
    server?.signal("SIGKILL");
    await server?.ended.catch(() => undefined);
    server = undefined;
    scratch.remove();
  });

  function start(behaviour: string, binary = fakeServer): ServerProcess {
    const installation: Installation = { kind: "installed", binary, libraryPath: ["/libraries"] };
    const env = { FAKE_BEHAVIOUR: behaviour, FAKE_RECORD: path.join(scratch.folder, "record.json") };
    server = new ServerProcess({ installation, args, env, log: logFile(log) });
    return server;
  }

  it("is ready when it answers, and ends in order", async () => {
    const running = start("serve");
    await running.untilReady();
    expect((await running.client?.serverMetadata())?.version).toBe("9.9.9");
    const record = JSON.parse(readFileSync(path.join(scratch.folder, "record.json"), "utf8"));
    expect([record.pid, record.args]).toEqual([running.pid, args]);
    expect(record.env.LD_LIBRARY_PATH).toMatch(/^\/libraries(:|$)/);
    expect([running.running, running.endpoints.length]).toEqual([true, 3]);
    expect(await running.stop(60_000)).toEqual({ code: 0, signal: null });
    expect(running.running).toBe(false);
    expect(readFileSync(log, "utf8")).toMatch(/pinned system memory.*fake: stopping with 0 open connections"\n$/s);
  });

  it("is ended at once when it does not end in time", async () => {
    const stubborn = start("stop-never");
    await stubborn.untilReady();
    expect(await stubborn.stop(50)).toEqual({ code: null, signal: "SIGKILL" });
  });

  it("counts as stopped in order when a reload had failed, and it has unloaded everything and does not end", async () => {
    const running = start("unload-reloaded-never");
    await running.untilReady();
    expect(await running.stop(60_000)).toEqual({ code: 0, signal: null });
  });

  it("is waited for while a model's process is there", async () => {
    const running = start("unload-reloaded-slowly");
    await running.untilReady();
    const stopped = running.stop(60_000);
    while (childrenOf(running.pid!).length === 0) await sleep(20);
    await sleep(3000);
    const [child] = childrenOf(running.pid!);
    expect(running.running).toBe(true);
    process.kill(child!, "SIGKILL");
    expect(await stopped).toEqual({ code: 0, signal: null });
  });

  it.each([
    ["no reload has failed: it may unload what is inside of its process", "unload-inside"],
    ["only a model has printed that nothing is left", "reloaded-quote"],
  ])("is waited for when %s", async (_why, behaviour) => {
    const running = start(behaviour);
    await running.untilReady();
    const killed = vi.spyOn(running, "signal");
    expect(await running.stop(60_000)).toEqual({ code: 0, signal: null });
    expect(killed.mock.calls).toEqual([["SIGTERM"]]);
  });

  it("says why it ended before it was ready, and where its log is", async () => {
    await expect(start("die-early").untilReady()).rejects.toMatchObject({
      code: "START",
      message: expect.stringMatching(/ended with code 1 before it was ready; its last error was: creating server/),
    });
    expect(readFileSync(log, "utf8")).toContain("error: creating server: Internal - something broke\n");
    await expect(start("silent").untilReady({ timeoutMs: 100, pollMs: 10 })).rejects.toThrow(
      `was not ready after 100 ms. Its log is ${log}.`,
    );
    expect(server?.running).toBe(false);
  });

  it("says when its binary cannot be started", async () => {
    const absent = path.join(scratch.folder, "absent");
    await expect(start("serve", absent).untilReady()).rejects.toMatchObject({ code: "START" });
  });
});
