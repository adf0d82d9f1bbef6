// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import net from "node:net";
import { codeOf } from "./error.ts";

const lowest = 20_000;
/** As Linux has it where nobody has set it. */
const usualSystemPorts = "32768 60999";

/** The first of the ports that the system gives to outgoing connections, and to who asks for any. */
function firstSystemPort(): number {
  let text = usualSystemPorts;
  try {
    text = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
  } catch {
    // Not Linux, or a /proc without it.
  }
  return Number.parseInt(text, 10);
}

/** Listens on a port of the loopback; undefined when it is taken. */
function listen(port: number): Promise<net.Server | undefined> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once("error", (error) => (codeOf(error) === "EADDRINUSE" ? resolve(undefined) : reject(error)));
    probe.listen(port, "127.0.0.1", () => resolve(probe));
  });
}

async function probeOne(): Promise<net.Server> {
  const choices = firstSystemPort() - lowest;
  for (;;) {
    const probe = await listen(choices < 1000 ? 0 : lowest + Math.floor(Math.random() * choices));
    if (probe !== undefined) return probe;
  }
}

/**
 * Ports of the loopback that were free a moment ago, all different. They are not among those that the system gives away by
 * itself, as one of these may be another connection's before a server has begun to listen.
 */
export async function freePorts(count: number): Promise<number[]> {
  const probes = await Promise.all(Array.from({ length: count }, probeOne));
  const ports = probes.map((probe) => (probe.address() as net.AddressInfo).port);
  await Promise.all(probes.map((probe) => new Promise((resolve) => probe.close(resolve))));
  return ports;
}
