// SPDX-License-Identifier: Apache-2.0
// What a server and the processes of its models hold.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { memory, threadCount } from "../../server/processes.ts";
import type { TestServer } from "../e2e/harness/index.ts";

export interface Footprint {
  serverMib: number;
  /** Of all processes of models together, like the next ones. */
  stubsMib: number;
  processes: number;
  threads: number;
  /** But those of shared memory. */
  descriptors: number;
  /** Regions of shared memory, as often as they are mapped: as many as the busiest moment so far has needed. */
  regions: number;
  /** The same of clients' files below /dev/shm. */
  clientFiles: number;
}

function descriptors(pid: number): number {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  return links.filter((link) => !link.startsWith("/memfd:")).length;
}

const mapped = (pid: number, what: RegExp) => readFileSync(`/proc/${pid}/maps`, "utf8").match(what)?.length ?? 0;

export function footprint(server: TestServer): Footprint {
  const stubs = server.stubs();
  const all = [server.pid, ...stubs];
  const sum = (of: (pid: number) => number) => all.reduce((total, pid) => total + of(pid), 0);
  return {
    serverMib: memory([server.pid]).rssKib / 1024,
    stubsMib: memory(stubs).rssKib / 1024,
    processes: stubs.length,
    threads: threadCount(all),
    descriptors: sum(descriptors),
    regions: sum((pid) => mapped(pid, /memfd:/g)),
    clientFiles: sum((pid) => mapped(pid, /\/dev\/shm\//g)),
  };
}
