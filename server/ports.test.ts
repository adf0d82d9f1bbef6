// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import net from "node:net";
import { afterEach, expect, it, vi } from "vitest";
import { freePorts } from "./ports.ts";

afterEach(() => vi.restoreAllMocks());

it("gives different ports that the system gives to nobody by itself", async () => {
  const [first] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split("\t").map(Number);
  const ports = await freePorts(50);
  expect(new Set(ports).size).toBe(50);
  for (const port of ports) {
    expect(port).toBeGreaterThanOrEqual(20_000);
    expect(port).toBeLessThan(first!);
  }
});

it("leaves out a port that is taken", async () => {
  const [taken = 0] = await freePorts(1);
  const server = net.createServer().listen(taken, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const first = Number.parseInt(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8"), 10);
  const exactly = (taken - 20_000 + 0.5) / (first - 20_000);
  vi.spyOn(Math, "random").mockReturnValueOnce(exactly);
  const [port] = await freePorts(1);
  expect(Math.random).toHaveBeenCalledTimes(2);
  expect(port).not.toBe(taken);
  server.close();
});
