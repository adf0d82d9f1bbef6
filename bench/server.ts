// SPDX-License-Identifier: Apache-2.0
// The tritonserver under test: start, load and unload, statistics, stop.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { guarded } from "../server/server_process.ts";
import { request } from "./http.ts";
import { descendants } from "./proc.ts";
import { BENCH_DIR, type Workbench } from "./setup.ts";

/** Who measures must not be answered by somebody else's server. */
async function refuseTaken(port: number): Promise<void> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", () =>
      reject(new Error(`Port ${port} is in use by another program. Give another --port, or none for any free ones.`)),
    );
    probe.listen(port, "127.0.0.1", resolve);
  });
  await new Promise((resolve) => probe.close(resolve));
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("No free port was found on the loopback.");
  return address.port;
}

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
  readonly #process: ChildProcess;
  readonly #log: string;

  private constructor(process: ChildProcess, httpPort: number, grpcPort: number, log: string) {
    this.#process = process;
    this.#log = log;
    this.pid = process.pid!;
    this.httpUrl = `http://127.0.0.1:${httpPort}`;
    this.grpcAddress = `127.0.0.1:${grpcPort}`;
  }

  /** Starts the server, with no model loaded unless the options say so. */
  static async start(bench: Workbench, options: ServerOptions = {}): Promise<Server> {
    const { port = 0, repository = bench.repository, args: more = [], env: moreEnv } = options;
    const http = port || (await freePort());
    const grpc = port ? port + 1 : await freePort();
    const metrics = port ? port + 2 : await freePort();
    if (port) for (const taken of [http, grpc, metrics]) await refuseTaken(taken);
    const log = path.join(BENCH_DIR, "tritonserver.log");
    const out = openSync(log, "w");
    const args = [
      `--model-repository=${repository}`,
      `--backend-directory=${bench.backends}`,
      "--model-control-mode=explicit",
      ...["http", "grpc", "metrics"].map((name) => `--${name}-address=127.0.0.1`),
      `--http-port=${http}`,
      `--grpc-port=${grpc}`,
      `--metrics-port=${metrics}`,
      ...more,
    ];
    const env = {
      ...process.env,
      PATH: `${bench.python.binDir}:${process.env["PATH"] ?? ""}`,
      LD_LIBRARY_PATH: bench.libraryPath,
      TRITON_TYPESCRIPT_NODE: process.execPath,
      ...moreEnv,
    };
    const began = performance.now();
    const [command, ...whole] = guarded(bench.server, args, env);
    const child = spawn(command, whole, { env, stdio: ["ignore", out, out] });
    closeSync(out);
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (error) => reject(new Error(`${bench.server} could not be started: ${error.message}`)));
    });
    const end = () => child.kill("SIGTERM");
    process.once("exit", end);
    child.once("close", () => process.off("exit", end));
    const server = new Server(child, http, grpc, log);
    await server.#untilReady();
    server.readyMs = performance.now() - began;
    return server;
  }

  async #untilReady(): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (this.ending() === undefined && Date.now() < deadline) {
      const reply = await request(this, "/v2/health/ready").catch(() => undefined);
      if (reply?.ok) return;
      await sleep(10);
    }
    const tail = readFileSync(this.#log, "utf8").trim().split("\n").slice(-15).join("\n");
    await this.stop();
    throw new Error(`tritonserver did not become ready. The end of ${this.#log}:\n${tail}`);
  }

  async #post(url: string): Promise<void> {
    const reply = await request(this, url, { method: "POST" });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`POST ${url} was answered with status ${reply.status}: ${text}. See ${this.#log}.`);
  }

  /** Returns when the model is ready, with the milliseconds that it took. */
  async load(model: string): Promise<number> {
    const start = performance.now();
    await this.#post(`/v2/repository/models/${model}/load`);
    return performance.now() - start;
  }

  /** Returns when the model is gone and, for those it had, its processes. */
  async unload(model: string): Promise<void> {
    await this.#post(`/v2/repository/models/${model}/unload`);
    const deadline = Date.now() + 30_000;
    while (Date.now() < deadline) {
      const reply = await request(this, `/v2/models/${model}/ready`);
      await reply.arrayBuffer();
      if (!reply.ok) return;
      await sleep(20);
    }
    throw new Error(`The model ${model} was still ready 30 s after it was unloaded. See ${this.#log}.`);
  }

  /** The processes that the server has started, all models together. */
  children(): number[] {
    return descendants(this.pid);
  }

  /** Name and version, as the server states them. */
  async version(): Promise<string> {
    const reply = await request(this, "/v2");
    const { name, version } = (await reply.json()) as { name: string; version: string };
    return `${name} ${version}`;
  }

  /** How the server ended, or undefined while it runs. */
  ending(): string | undefined {
    const { exitCode, signalCode } = this.#process;
    if (signalCode !== null) return `signal ${signalCode}`;
    return exitCode === null ? undefined : `exit code ${exitCode}`;
  }

  async stop(): Promise<void> {
    if (this.ending() !== undefined) return;
    const ended = new Promise((resolve) => this.#process.once("close", resolve));
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 40_000);
    await ended;
    clearTimeout(timer);
  }
}
