// SPDX-License-Identifier: Apache-2.0
// A model that ends its own process: the request in flight says what happened, and the next one is answered again.
import { readdirSync, readlinkSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { startServer, type TestServer, until } from "../harness/index.ts";
import { bad, gone, infer, inferCase, stateOf, stubOf } from "./bad_models.ts";

/** What the client reads after the first sentence. */
const endings: Record<string, string | RegExp> = {
  exit: "It exited with code 4.",
  exit_zero: "It exited with code 0.",
  abort: "It was killed by signal 6",
  kill: "It was killed by signal 9",
  segfault: "It was killed by signal 11",
  timer: "It exited with code 1.",
  heap: /heap.*out of memory/i,
};

describe("deaths", () => {
  let server: TestServer;
  let good: number;
  beforeAll(async () => {
    const models = [bad("dies"), bad("good"), bad("children")];
    server = await startServer({ models, backendConfig: ["typescript,restart-backoff-ms=1"] });
    expect((await infer(server, "good", [1])).values).toEqual([1]);
    good = stubOf(server, "good")!;
  });

  /** The process that answers next. */
  const alive = async () => {
    let pid = 0;
    await until(async () => {
      pid = (await inferCase(server, "dies", "lives")).values[0] ?? 0;
      return pid !== 0;
    }, "an answer");
    return pid;
  };

  test.each(Object.keys(endings))("%s", async (name) => {
    const before = await alive();
    const { status, error } = await inferCase(server, "dies", name);
    expect(status).toBe(503);
    expect(error).toMatch(/^Stub process 'dies_0(_0)?' is not healthy\. /);
    expect(error).toMatch(endings[name]!);
    expect(await alive()).not.toBe(before);
    expect(server.isRunning).toBe(true);
    expect((await infer(server, "good", [2])).values).toEqual([2]);
    expect(stubOf(server, "good")).toBe(good);
    expect((await stateOf(server, "dies")).state).toBe("READY");
  });

  test("an error that the model's own handler catches ends nothing", async () => {
    const before = await alive();
    expect(await inferCase(server, "dies", "swallowed")).toMatchObject({ status: 200, values: [before] });
  });

  test("the channel's descriptor closed by the model", async () => {
    const before = await alive();
    expect(await inferCase(server, "dies", "close_channel")).toMatchObject({ status: 200, values: [before] });
    const after = await alive();
    expect((await inferCase(server, "dies", "lives")).values).toEqual([after]);
  });

  test("the log has the stack of what was thrown in a timer, and Node's last words", async () => {
    await server.waitForLog(/thrown in a timer[\s\S]*dies\/1\/model\.ts:\d+:\d+/);
    // With the level of an error.
    await server.waitForLog(
      /^E.*An error that nothing caught ends the process of this instance\. .*thrown in a timer/m,
    );
    await server.waitForLog("Stub process 'dies_0' was restarted.");
  });

  test("a process holds no connection of the server's, only its own channel", async () => {
    // One that was started while the server had its sockets and clients.
    const before = await alive();
    process.kill(before, "SIGKILL");
    await gone([before]);
    const pid = await alive();
    const targets = readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${name}`)];
      } catch {
        return []; // closed in the meantime
      }
    });
    expect(targets.filter((target) => target.startsWith("socket:"))).toHaveLength(1);
  });

  test("the children of a process go with it", async () => {
    const { values } = await infer(server, "children");
    expect(values).toHaveLength(5);
    process.kill(values[4]!, "SIGKILL");
    await gone(values);
    const again = await infer(server, "children");
    expect(again.status).toBe(200);
    await server.stop();
    await gone(again.values);
  });
});

describe("without restart", () => {
  test("a dead process stays dead and says so", async () => {
    const models = [bad("dies"), bad("good")];
    const server = await startServer({ models, backendConfig: ["typescript,restart=false"] });
    expect((await inferCase(server, "dies", "exit")).error).toContain("Restarting is switched off; reload the model.");
    const { status, error } = await inferCase(server, "dies", "lives");
    expect(status).toBe(503);
    expect(error).toContain("It exited with code 4. Restarting is switched off; reload the model.");
    expect(stubOf(server, "dies")).toBeUndefined();
    expect((await infer(server, "good")).status).toBe(200);
    expect((await server.stop()).code).toBe(0);
  });
});
