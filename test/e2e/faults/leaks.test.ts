// SPDX-License-Identifier: Apache-2.0
// Nothing stays behind: processes, descriptors, threads and memory are as before after many loads, unloads and requests.
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { childrenOf, startServer, type TestServer, until } from "../harness/index.ts";
import { bad, control, infer, statusOf, stubOf, unload } from "./bad_models.ts";

interface Footprint {
  processes: number;
  descriptors: number;
  threads: number;
  residentKib: number;
}

function footprint(pid: number): Footprint {
  return {
    processes: childrenOf(pid).length,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: statusOf(pid, "Threads"),
    residentKib: statusOf(pid, "VmRSS"),
  };
}

/**
 * The footprint of a process when it has no more descriptors and threads than before, as connections of this test's client are
 * closed a little later than they are answered.
 */
async function settled(pid: number, before: Footprint): Promise<Footprint> {
  const fits = ({ descriptors, threads }: Footprint) =>
    descriptors <= before.descriptors + 2 && threads <= before.threads;
  const what = `at most ${before.descriptors} + 2 descriptors and ${before.threads} threads in process ${pid}`;
  await until(() => fits(footprint(pid)), what).catch((error: Error) => {
    throw new Error(`${error.message} There are ${JSON.stringify(footprint(pid))}.`);
  });
  return footprint(pid);
}

/** Thousands of requests and many rounds take their time on a busy machine. */
const timeout = 900_000;

/** A leak shows in each of several rounds; that a heap or an arena has grown, which depends on the machine's load, does not. */
const ROUNDS = 4;

const show = (what: string, steps: readonly Footprint[]) => {
  for (const { processes, descriptors, threads, residentKib } of steps) {
    console.log(`${what}: ${processes} processes, ${descriptors} descriptors, ${threads} threads, ${residentKib} KiB`);
  }
};

describe("load and unload", () => {
  let server: TestServer;
  beforeAll(async () => {
    const group = "instance_group [ { count: 2 kind: KIND_CPU } ]";
    server = await startServer({
      models: [bad("good"), bad("counts", group), bad("initialize_throws"), bad("file_missing"), bad("import_exits")],
      modelControlMode: "explicit",
      loadModels: ["good"],
    });
  });
  afterAll(() => server.kill());

  async function repeated(count: number, cycle: () => Promise<void>): Promise<void> {
    for (let i = 0; i < count; i++) await cycle();
    await until(() => childrenOf(server.pid).length === 1, "the end of the processes", 60_000, server);
  }

  /** Runs the cycles and compares what is there after a few of them with what is there at the end. */
  async function flat(what: string, cycle: () => Promise<void>): Promise<void> {
    await repeated(10, cycle);
    await sleep(300); // connections of this test's client that are closing
    const steps = [footprint(server.pid)];
    const hasGrown = () => steps.length < 2 || steps.at(-1)!.residentKib >= steps.at(-2)!.residentKib + 4 * 1024;
    while (hasGrown() && steps.length <= ROUNDS) {
      await repeated(24, cycle);
      steps.push(await settled(server.pid, steps[0]!));
    }
    show(what, steps);
    expect(hasGrown(), JSON.stringify(steps)).toBe(false);
  }

  test("24 cycles of a model with two instances", { timeout }, () =>
    flat("load, two requests, unload", async () => {
      expect(await control(server, "load", "counts")).toBe("");
      for (let i = 0; i < 2; i++) expect((await infer(server, "counts", [0])).status).toBe(200);
      await unload(server, "counts");
    }),
  );

  test("24 cycles of models that fail", { timeout }, () =>
    flat("failing loads", async () => {
      for (const name of ["initialize_throws", "file_missing", "import_exits"]) {
        expect(await control(server, "load", name)).not.toBe("");
      }
    }),
  );

  test("the model that was there all the time still answers", async () => {
    expect((await infer(server, "good", [1])).values).toEqual([1]);
  });
});

describe("many requests", () => {
  test.each([
    ["one batch in flight", ""],
    ["eight batches in flight", 'parameters { key: "MAX_IN_FLIGHT_BATCHES" value { string_value: "8" } }'],
  ])("10 000 requests: %s", { timeout }, async (what, more) => {
    const server = await startServer({ models: [bad("good", more)] });
    const values = Array.from({ length: 1000 }, (_, i) => i);
    const requests = async (count: number) => {
      let left = count;
      await Promise.all(
        Array.from({ length: 16 }, async () => {
          while (left-- > 0) expect((await infer(server, "good", values)).status).toBe(200);
        }),
      );
    };
    await requests(4000);
    await sleep(300); // connections of this test's client that are closing
    const pids = [server.pid, stubOf(server, "good")!] as const;
    const steps = [pids.map(footprint)];
    const hasGrown = () =>
      steps.length < 2 ||
      steps.at(-1)!.some((after, i) => after.residentKib >= steps.at(-2)![i]!.residentKib + 8 * 1024);
    while (hasGrown() && steps.length <= ROUNDS) {
      await requests(10_000);
      steps.push(await Promise.all(pids.map((pid, i) => settled(pid, steps[0]![i]!))));
    }
    for (const [i, name] of ["server", "stub"].entries()) {
      show(
        `${name}, ${what}`,
        steps.map((step) => step[i]!),
      );
    }
    expect(hasGrown(), JSON.stringify(steps)).toBe(false);
    await server.kill();
  });
});
