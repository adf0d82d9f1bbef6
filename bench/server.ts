// SPDX-License-Identifier: Apache-2.0
// The tritonserver under test: start, load and unload, statistics, stop.

import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { tritonArguments } from "../server/arguments.ts";
import { checkEndpoints, endpointsOf, hostAndPort } from "../server/endpoints.ts";
import type { KServeClient } from "../server/kserve.ts";
import { freePorts } from "../server/ports.ts";
import { logFile } from "../server/server_log.ts";
import { ServerProcess } from "../server/server_process.ts";
import { descendants } from "./proc.ts";
import { BENCH_DIR, type Workbench } from "./setup.ts";

const LOG = path.join(BENCH_DIR, "tritonserver.log");

export interface ServerOptions {
  /** The first of three ports, or 0 for any free ones. */
  port?: number;
  /** Another folder of models than the workbench's. */
  repository?: string;
  /** More arguments; `--load-model=*` loads everything before the server is ready. */
  args?: readonly string[];
  /** More of its environment. */
  env?: Readonly<Record<string, string>>;
}

export class Server {
  readonly httpUrl: string;
  readonly grpcAddress: string;
  readonly pid: number;
  /** Milliseconds from the start of the process until it said that it was ready. */
  readyMs = Number.NaN;
  readonly #process: ServerProcess;
  readonly #client: KServeClient;

  private constructor(process: ServerProcess) {
    this.#process = process;
    this.#client = process.client!;
    this.pid = process.pid!;
    this.httpUrl = this.#client.url;
    this.grpcAddress = hostAndPort(process.endpoints.find(({ name }) => name === "grpc")!);
  }

  /** Starts the server, with no model loaded unless the options say so. */
  static async start(bench: Workbench, options: ServerOptions = {}): Promise<Server> {
    const { port = 0, repository = bench.repository, args: extra = [], env } = options;
    const [httpPort, grpcPort, metricsPort] = (port ? [port, port + 1, port + 2] : await freePorts(3)).map(String);
    const args = tritonArguments({
      repositories: [repository],
      options: { httpPort, grpcPort, metricsPort, modelControlMode: "explicit", exitOnError: "true" },
      backendDirectory: bench.backends,
      extra,
    });
    // Who measures must not be answered by somebody else's server.
    await checkEndpoints(endpointsOf(args));
    const began = performance.now();
    const launched = new ServerProcess({
      installation: bench.installation,
      args,
      env: {
        PATH: `${bench.python.binDir}:${process.env["PATH"] ?? ""}`,
        TRITON_TYPESCRIPT_NODE: process.execPath,
        ...env,
      },
      log: logFile(LOG),
    });
    await launched.untilReady({ timeoutMs: 60_000, pollMs: 10 });
    const server = new Server(launched);
    server.readyMs = performance.now() - began;
    return server;
  }

  /** Returns when the model is ready, with the milliseconds that it took. */
  async load(model: string): Promise<number> {
    const start = performance.now();
    await this.#client.loadModel(model);
    return performance.now() - start;
  }

  /** Returns when the model is gone and, for those it had, its processes. */
  async unload(model: string): Promise<void> {
    await this.#client.unloadModel(model);
    const deadline = Date.now() + 30_000;
    while (await this.#client.isModelReady(model)) {
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

  /** Name and version, as the server states them. */
  async version(): Promise<string> {
    const { name, version } = await this.#client.serverMetadata();
    return `${name} ${version}`;
  }

  get running(): boolean {
    return this.#process.running;
  }

  /** Stops the server in order; gives how it ended. */
  async stop(): Promise<string> {
    const { code, signal } = await this.#process.stop(40_000);
    return signal === null ? `exit code ${code}` : `signal ${signal}`;
  }
}
