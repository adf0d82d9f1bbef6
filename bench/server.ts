// SPDX-License-Identifier: Apache-2.0
// The tritonserver under test: start, load and unload, stop.

import { mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { HttpClient } from "../client/http/index.ts";
import { tritonArguments } from "../server/arguments.ts";
import { checkEndpoints, endpointsOf, hostAndPort } from "../server/endpoints.ts";
import { freePorts } from "../server/ports.ts";
import { descendants } from "../server/processes.ts";
import { logFile } from "../server/server_log.ts";
import { ServerProcess } from "../server/server_process.ts";
import { BENCH_DIR, type Workbench } from "./setup.ts";

const LOG = path.join(BENCH_DIR, "tritonserver.log");

export interface ServerOptions {
  /** The first of three ports, or 0 for any free ones. */
  port?: number;
  /** Another folder of models than the workbench's. */
  repository?: string;
  /** More arguments; `--load-model=*` loads everything before the server is ready. */
  args?: readonly string[];
  /** It finds nothing that an earlier one has compiled, as in a new container. */
  emptyCache?: boolean;
}

export class Server {
  readonly bench: Workbench;
  readonly client: HttpClient;
  readonly grpcAddress: string;
  readonly metricsUrl: string;
  readonly pid: number;
  /** Milliseconds from the start of the process until it said that it was ready. */
  readonly readyMs: number;

  private constructor(bench: Workbench, process: ServerProcess, readyMs: number) {
    this.bench = bench;
    this.client = process.client!;
    this.grpcAddress = hostAndPort(process.endpoints.find(({ name }) => name === "grpc")!);
    this.metricsUrl = `http://${hostAndPort(process.endpoints.find(({ name }) => name === "metrics")!)}/metrics`;
    this.pid = process.pid!;
    this.readyMs = readyMs;
  }

  /** Lends a fresh server, with no model loaded unless the options say so, and stops it afterwards, whatever happens. */
  static async lend<T>(bench: Workbench, options: ServerOptions, use: (server: Server) => Promise<T>): Promise<T> {
    const { port = 0, repository = bench.repository, args: extra = [], emptyCache = false } = options;
    const [httpPort, grpcPort, metricsPort] = (port ? [port, port + 1, port + 2] : await freePorts(3)).map(String);
    const ports = { httpPort, grpcPort, metricsPort };
    const settings = { ...ports, modelControlMode: "explicit", exitOnError: "true" };
    const sources = { repositories: [repository], options: settings, backendDirectory: bench.backends };
    const args = tritonArguments({ ...sources, extra });
    await checkEndpoints(endpointsOf(args)); // who measures must not be answered by somebody else's server
    const cache = emptyCache ? mkdtempSync(path.join(BENCH_DIR, "cache-")) : undefined;
    const env = { ...bench.env, ...(cache ? { XDG_CACHE_HOME: cache } : {}) };
    const began = performance.now();
    const { installation } = bench;
    const launched = new ServerProcess({ installation, args, env, log: logFile(LOG), ownSession: false });
    const stop = async () => {
      const { code, signal } = await launched.stop(40_000);
      return signal === null ? `exit code ${code}` : `signal ${signal}`;
    };
    try {
      await launched.untilReady({ timeoutMs: 60_000, pollMs: 10 });
      return await use(new Server(bench, launched, performance.now() - began)).catch(async (cause: unknown) => {
        if (launched.running) throw cause;
        throw new Error(`tritonserver ended with ${await stop()} during the run; see ${LOG}.`, { cause });
      });
    } finally {
      await stop();
      if (cache) rmSync(cache, { recursive: true, force: true });
    }
  }

  /** Returns when the model is ready, with the milliseconds that it took. */
  async load(model: string): Promise<number> {
    const start = performance.now();
    await this.client.loadModel(model);
    return performance.now() - start;
  }

  /** Returns when the model is gone and, for those it had, its processes. */
  async unload(model: string): Promise<void> {
    await this.client.unloadModel(model);
    const deadline = Date.now() + 30_000;
    while (await this.client.isModelReady(model)) {
      if (Date.now() > deadline) {
        throw new Error(`The model ${model} was still ready 30 s after it was unloaded. See ${LOG}.`);
      }
      await sleep(20);
    }
  }

  /** The processes that the server has started, all models together. */
  children(): number[] {
    return descendants(this.pid);
  }
}
