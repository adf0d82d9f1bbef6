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

  /** Runs the cycles and compares what is there after a few of them with what is there at the end. */
  async function flat(what: string, cycle: () => Promise<void>): Promise<void> {
    const warmUp = 10;
    const cycles = 24;
    const steps: Footprint[] = [];
    for (let i = 0; i < warmUp + cycles; i++) {
      await cycle();
      if (i === warmUp - 1 || i === warmUp + cycles / 2 - 1 || i === warmUp + cycles - 1) {
        await until(() => childrenOf(server.pid).length === 1, "the end of the processes", 30_000, server);
        await sleep(300); // connections of this test's client that are closing
        steps.push(footprint(server.pid));
      }
    }
    show(what, steps);
    const [before, , after] = steps as [Footprint, Footprint, Footprint];
    expect(after.processes).toBe(before.processes);
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 2);
    expect(after.threads).toBeLessThanOrEqual(before.threads);
    expect(after.residentKib).toBeLessThan(before.residentKib + 4 * 1024);
  }

  test("24 cycles of a model with two instances", () =>
    flat("load, two requests, unload", async () => {
      expect(await control(server, "load", "counts")).toBe("");
      for (let i = 0; i < 2; i++) expect((await infer(server, "counts", [0])).status).toBe(200);
      await unload(server, "counts");
    }));

  test("24 cycles of models that fail", () =>
    flat("failing loads", async () => {
      for (const name of ["initialize_throws", "file_missing", "import_exits"]) {
        expect(await control(server, "load", name)).not.toBe("");
      }
    }));

  test("the model that was there all the time still answers", async () => {
    expect((await infer(server, "good", [1])).values).toEqual([1]);
  });
});

describe("many requests", () => {
  test.each([
    ["one batch in flight", ""],
    ["eight batches in flight", 'parameters { key: "MAX_IN_FLIGHT_BATCHES" value { string_value: "8" } }'],
  ])("10 000 requests: %s", async (what, more) => {
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
    const stub = stubOf(server, "good")!;
    const before = [footprint(server.pid), footprint(stub)] as const;
    await requests(10_000);
    const after = [footprint(server.pid), footprint(stub)] as const;
    show(`server, ${what}`, [before[0], after[0]]);
    show(`stub, ${what}`, [before[1], after[1]]);
    for (const i of [0, 1] as const) {
      expect(after[i].descriptors).toBeLessThanOrEqual(before[i].descriptors + 2);
      expect(after[i].threads).toBeLessThanOrEqual(before[i].threads);
      expect(after[i].residentKib).toBeLessThan(before[i].residentKib + 8 * 1024);
    }
    await server.kill();
  });
});
