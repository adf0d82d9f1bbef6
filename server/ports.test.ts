// SPDX-License-Identifier: Apache-2.0
import net from "node:net";
import { afterEach, expect, it, vi } from "vitest";
import { choosePort, freePorts } from "./ports.ts";

afterEach(() => vi.restoreAllMocks());

it("chooses ports that the system gives to nobody by itself", () => {
  expect(choosePort("32768\t60999\n", 0)).toBe(20_000);
  expect(choosePort("32768\t60999\n", 0.99999)).toBe(32_767);
  expect(choosePort("1024\t65535\n", 0.5)).toBe(0); // there are no others
});

it("gives different ports", async () => {
  const ports = await freePorts(50);
  expect(new Set(ports).size).toBe(50);
  for (const port of ports) expect(port).toBeGreaterThan(0);
});

it("gives another port in place of one that is taken", async () => {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port: taken } = server.address() as net.AddressInfo;
  const listen = vi.spyOn(net.Server.prototype, "listen");
  listen.mockImplementationOnce(function (this: net.Server, ...args: unknown[]) {
    return this.listen(taken, ...(args.slice(1) as [string, () => void]));
  });
  const [port] = await freePorts(1);
  expect(port).not.toBe(taken);
  expect(listen.mock.calls.length).toBeGreaterThanOrEqual(3); // the first one, in its place the one that is taken, another one
  server.close();
});
