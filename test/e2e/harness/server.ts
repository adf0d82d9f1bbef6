// SPDX-License-Identifier: Apache-2.0
// Starts the real tritonserver for a test, as "triton-ts serve" does, and ends it for certain.
import { readFileSync, rmSync } from "node:fs";
import { inject, vi } from "vitest";
import { tritonArguments } from "../../../server/arguments.ts";
import { backendFolder } from "../../../server/backend_folder.ts";
import type { ServerEnd } from "../../../server/early_end.ts";
import type { Installation } from "../../../server/installation.ts";
import { freePorts } from "../../../server/ports.ts";
import { childrenOf } from "../../../server/processes.ts";
import type { LogTarget } from "../../../server/server_log.ts";
import { ServerProcess } from "../../../server/server_process.ts";
import { until as waitUntil } from "../../../server/testing/until.ts";
import { type ModelSpec, makeRepository } from "./repository.ts";

export interface ServerOptions {
  /** Another server than the one that all tests are for. */
  installation?: Installation;
  /** Models of a temporary repository, which is removed at the end. */
  models?: readonly (string | ModelSpec)[];
  /** A repository that is there already, in place of `models`. */
  repository?: string;
  /** More arguments for tritonserver. */
  args?: readonly string[];
  /** Options of --backend-config, such as "typescript,restart=false". */
  backendConfig?: readonly string[];
  /** Folders with one subfolder per backend, beside those of the package. */
  backends?: readonly string[];
  modelControlMode?: "none" | "explicit" | "poll";
  /** Models to load at the start in explicit mode. */
  loadModels?: readonly string[];
  env?: NodeJS.ProcessEnv;
}

const running = new Set<TestServer>();

/** Fetches without keeping the connection: a server that stops waits for those that are open. */
export function fetchOnce(url: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url, { ...init, headers: { ...init.headers, connection: "close" } });
}

/** A running tritonserver. */
export class TestServer {
  readonly url: string;
  /** Host and port of the gRPC service. */
  readonly grpcUrl: string;
  readonly metricsUrl: string;
  /** The folder that is served. A test may change what lies in it when it came from `models`. */
  readonly repository: string;
  /** How the server ended. */
  readonly ended: Promise<ServerEnd>;
  readonly #process: ServerProcess;
  readonly #ownsRepository: boolean;
  readonly #clients = new Set<{ close(): void }>();
  #log = "";

  constructor(options: ServerOptions, repository: string, ports: readonly number[]) {
    const [http, grpc, metrics] = ports;
    this.url = `http://127.0.0.1:${http}`;
    this.grpcUrl = `127.0.0.1:${grpc}`;
    this.metricsUrl = `http://127.0.0.1:${metrics}/metrics`;
    this.repository = repository;
    this.#ownsRepository = options.repository === undefined;
    const line = (text: string) => {
      this.#log += `${text}\n`;
    };
    this.#process = launch(options, repository, ports, { place: "below", open: () => ({ line, end() {} }) });
    this.ended = this.#process.ended;
    running.add(this);
  }

  get pid(): number {
    return this.#process.pid!;
  }

  get isRunning(): boolean {
    return this.#process.running;
  }

  /** What the server wrote so far. */
  log(): string {
    return this.#log;
  }

  /** The lines of the log that hold `text`. */
  logLines(text: string): string[] {
    return this.#log.split("\n").filter((line) => line.includes(text));
  }

  /** Waits until the log matches, and gives the match. */
  async waitForLog(pattern: RegExp | string, timeoutMs = 60_000): Promise<string> {
    const find = () =>
      typeof pattern === "string" ? this.#log.includes(pattern) && pattern : pattern.exec(this.#log)?.[0];
    await until(() => find() !== undefined && find() !== false, `the log to hold ${pattern}`, timeoutMs, this);
    return find() as string;
  }

  /** Process ids of the model instances. */
  stubs(): number[] {
    return childrenOf(this.pid).filter(isStub);
  }

  /** Waits until it answers, which is after it has tried to load every model. Throws with the log when it does not. */
  async untilReady(): Promise<void> {
    try {
      await this.#process.untilReady({ timeoutMs: 120_000, pollMs: 20 });
    } catch (error) {
      this.#forget();
      throw new Error(`${(error as Error).message}\n${this.#log.slice(-6000)}`);
    }
  }

  /** Whether the model, or one version of it, is ready. */
  async isModelReady(model: string, version?: number): Promise<boolean> {
    const suffix = version === undefined ? "" : `/versions/${version}`;
    return (await fetchOnce(`${this.url}/v2/models/${model}${suffix}/ready`)).ok;
  }

  /** Closes a client before the server is stopped, because the server would wait for its connection. */
  closeAtStop(client: { close(): void }): void {
    this.#clients.add(client);
  }

  /** Ends the server in order, or with another signal, and waits for its end. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<ServerEnd> {
    for (const client of this.#clients) client.close();
    this.#process.signal(signal);
    const end = await this.ended;
    this.#forget();
    return end;
  }

  /** Ends the server as "triton-ts serve" does at Ctrl-C, and waits for its end. */
  async terminate(): Promise<ServerEnd> {
    this.#process.terminate();
    const end = await this.ended;
    this.#forget();
    return end;
  }

  /** Ends the server at once if it still runs. */
  async kill(): Promise<void> {
    if (this.isRunning) this.#process.signal("SIGKILL");
    await this.ended.catch(() => undefined);
    this.#forget();
  }

  #forget(): void {
    running.delete(this);
    if (this.#ownsRepository) rmSync(this.repository, { recursive: true, force: true });
  }
}

function launch(options: ServerOptions, repository: string, ports: readonly number[], log: LogTarget): ServerProcess {
  const installation = options.installation ?? inject("tritonServer");
  const [httpPort, grpcPort, metricsPort] = ports.map(String);
  const args = tritonArguments({
    repositories: [repository],
    options: {
      httpPort,
      grpcPort,
      metricsPort,
      backendConfig: options.backendConfig,
      modelControlMode: options.modelControlMode,
      loadModel: options.loadModels,
    },
    extra: options.args ?? [],
    backendDirectory: backendFolder(installation, options.backends ?? []),
    installation,
  });
  return new ServerProcess({ installation, args, env: options.env, log, orphanSignal: "KILL" });
}

/**
 * Starts a server and waits until it answers, which is after it has tried to load every model.
 *
 * @throws Error with the log when the server ends or does not answer in time
 */
export async function startServer(options: ServerOptions): Promise<TestServer> {
  const repository = options.repository ?? makeRepository(options.models ?? []);
  const server = new TestServer(options, repository, await freePorts(3));
  await server.untilReady();
  return server;
}

/** Ends every server that a test left running. */
export async function killServers(): Promise<void> {
  await Promise.all([...running].map((server) => server.kill()));
}

/** Waits until a condition holds. Fails with the end of the log when it does not, or when the server ends before. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 60_000,
  server?: TestServer,
): Promise<void> {
  const whyNever = () => (server !== undefined && !server.isRunning ? "the server ended" : undefined);
  try {
    await waitUntil(condition, what, timeoutMs, whyNever);
  } catch (error) {
    if (server !== undefined && error instanceof Error) error.message += `\n${server.log().slice(-6000)}`;
    throw error;
  }
}

/**
 * Checks again and again until nothing fails, for what shows a moment after an answer, as the server's statistics do. Fails with
 * what the last check found.
 */
export function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: 60_000, interval: 20 });
}

/** A model instance names itself in its command line as soon as it runs; before, that is the server's for a moment. */
function isStub(pid: number): boolean {
  const [title = "", ...rest] = commandLine(pid);
  return title.startsWith("triton-typescript ") || rest.some((part) => part.endsWith("runtime/main.js"));
}

/** The arguments of a process; none when it is gone. */
export function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean);
  } catch {
    return [];
  }
}

/** Whether a process is there and not a zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
