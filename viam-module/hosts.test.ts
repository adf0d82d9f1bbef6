// SPDX-License-Identifier: Apache-2.0
// How much the log of a server has. The server is a fake, which shows the log that it was given.
import os from "node:os";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readAttributes } from "./attributes.ts";
import { Hosts } from "./hosts.ts";
import { Log } from "./log.ts";

const logs = vi.hoisted(() => [] as Log[]);
vi.mock("./triton_host.ts", () => ({
  TritonHost: class {
    readonly failed = false;
    constructor(_place: unknown, _timeoutMs: number, log: Log) {
      logs.push(log);
    }
    async running(): Promise<void> {}
    async stop(): Promise<void> {}
  },
}));

const attributes = readAttributes({ model_name: "m", model_repository_path: os.tmpdir() });
let hosts: Hosts;

beforeEach(() => {
  vi.useFakeTimers();
  logs.length = 0;
  const module = new Log(
    "module",
    () => undefined,
    () => "info",
  );
  hosts = new Hosts(module);
});
afterEach(() => vi.useRealTimers());

test("it is the lowest level of the resources that use the server, whatever the module's is", () => {
  hosts.use(attributes, "error");
  expect(logs.map(({ level }) => level)).toEqual(["error"]);
  const one = hosts.use(attributes, "debug");
  const other = hosts.use(attributes, "debug");
  expect(logs.map(({ level }) => level)).toEqual(["debug"]);
  one.release();
  vi.advanceTimersByTime(60_000);
  expect(logs[0]!.level).toBe("debug");
  other.release();
  vi.advanceTimersByTime(60_000);
  expect(logs.map(({ level }) => level)).toEqual(["error"]);
});

test("what the server says of the last thing that a resource asked for is still taken at that level", () => {
  hosts.use(attributes, "info");
  hosts.use(attributes, "debug").release();
  vi.advanceTimersByTime(1000);
  expect(logs[0]!.level).toBe("debug");
  vi.advanceTimersByTime(1000);
  expect(logs[0]!.level).toBe("info");
});
