// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import net from "node:net";
import { codeOf } from "./error.ts";

const lowest = 20_000;
/** As Linux has it where nobody has set it. */
const usualSystemPorts = "32768 60999";

/** From and to the ports that the system gives to outgoing connections, and to who asks for any. */
function systemPorts(): string {
  try {
    return readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
  } catch {
    return usualSystemPorts; // not Linux, or a /proc without it
  }
}

/** A port to be tried; 0, the system's choice, where that leaves few others. */
export function choosePort(range = systemPorts(), random = Math.random()): number {
  const choices = Number.parseInt(range, 10) - lowest;
  return choices < 1000 ? 0 : lowest + Math.floor(random * choices);
}

function listen(port: number): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once("error", reject);
    probe.listen(port, "127.0.0.1", () => resolve(probe));
  });
}

/** Listens on a port that is free; where many are taken, on one that the system finds. */
async function probeOne(): Promise<net.Server> {
  for (let tries = 0; tries < 20; tries++) {
    try {
      return await listen(choosePort());
    } catch (error) {
      if (codeOf(error) !== "EADDRINUSE") throw error;
    }
  }
  return listen(0);
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
