// SPDX-License-Identifier: Apache-2.0
// The one way to start a tritonserver: for the command, the benchmark and the tests.
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { HttpClient } from "../client/http/index.ts";
import { lastValue } from "./argument_values.ts";
import { explainEarlyEnd, type ServerEnd } from "./early_end.ts";
import { type Endpoint, endpointsOf, hostAndPort, isListening } from "./endpoints.ts";
import { environmentFor } from "./environment.ts";
import { codeOf, messageOf, ServerError } from "./error.ts";
import { GrpcSource } from "./grpc_source.ts";
import type { Installation } from "./installation.ts";
import { LoadFailures } from "./load_failures.ts";
import { LogFileReader } from "./log_file_reader.ts";
import { parseLogLine } from "./log_line.ts";
import type { ModelSource } from "./model_source.ts";
import { guarded } from "./orphan_guard.ts";
import { isAnswering, plainFetch } from "./plain_fetch.ts";
import { childrenOf } from "./processes.ts";
import { LastErrors, LineSplitter, type LogTarget } from "./server_log.ts";

export interface LaunchOptions {
  installation: Installation;
  /** Arguments of tritonserver. */
  args: readonly string[];
  /** More of its environment. */
  env?: NodeJS.ProcessEnv;
  log: LogTarget;
  /** What the server gets when this process ends before it. Default: TERM, with which it finishes what it has. */
  orphanSignal?: "TERM" | "KILL";
  /**
   * Whether it gets a session of its own, so that Ctrl-C reaches us only. Default: true. Linux may share the cores out by
   * session first (autogroup): who measures keeps server and client in one.
   */
  ownSession?: boolean;
}

export interface Patience {
  /** How long the server may take. Default: for ever. */
  timeoutMs?: number;
  /** How often it is asked. */
  pollMs?: number;
}

/** What the server logs when no request is left: from here on it only unloads. */
const unloads = "All models are stopped, unloading models";

/** Twice the second after which the server looks again whether it has unloaded everything. */
const unloadedMs = 2000;
const unloadPollMs = 100;

/** A tritonserver that runs, or ran. We stop it in order. */
export class ServerProcess {
  readonly endpoints: readonly Endpoint[];
  /** Asks the server; undefined when its arguments switch HTTP off. */
  readonly client: HttpClient | undefined;
  /** Whom to ask about its models, in this order; empty when its arguments switch HTTP and gRPC off. */
  readonly modelSources: readonly ModelSource[];
  /** Settles when the server has ended and its whole log is read. Rejects when it cannot be started. */
  readonly ended: Promise<ServerEnd>;
  readonly #loadFailures: LoadFailures;
  readonly #errors = new LastErrors();
  /** Its own log file, where its arguments name one; it prints next to nothing then. */
  readonly #logFile: LogFileReader | undefined;
  readonly #child: ChildProcess;
  /** Where its log is, as it stands in messages. */
  readonly logPlace: string;
  #unloading = false;
  /** Since when it has had nothing left to unload, as far as one sees from outside. */
  #unloadedAt: number | undefined;
  #overdue = false;

  /** @throws ServerError for arguments that name no ports, or one twice */
  constructor({ installation, args, env: more, log, orphanSignal = "TERM", ownSession = true }: LaunchOptions) {
    this.endpoints = endpointsOf(args);
    const http = this.endpoints.find(({ name }) => name === "http");
    this.client = http && new HttpClient({ url: `http://${hostAndPort(http)}`, fetch: plainFetch });
    const grpc = this.endpoints.find(({ name }) => name === "grpc");
    const sources: (ModelSource | undefined)[] = [this.client, grpc && new GrpcSource(hostAndPort(grpc))];
    this.modelSources = sources.filter((source) => source !== undefined);
    const logFile = lastValue(args, "--log-file");
    this.#logFile = logFile ? new LogFileReader(logFile) : undefined;
    this.logPlace = logFile || log.place;
    this.#loadFailures = new LoadFailures({ apart: this.#logFile !== undefined });
    const env = { ...environmentFor(installation), ...more };
    const [command = "", ...rest] = guarded([installation.binary, ...args], orphanSignal, env);
    this.#child = spawn(command, rest, { env, stdio: ["ignore", "pipe", "pipe"], detached: ownSession });
    this.#follow(this.#child.stdout, log);
    this.#follow(this.#child.stderr, log);
    const end = () => this.signal(`SIG${orphanSignal}`);
    process.once("exit", end);
    this.ended = new Promise((resolve, reject) => {
      this.#child.once("close", (code, signal) =>
        resolve(this.#overdue ? { code: 0, signal: null } : { code, signal }),
      );
      this.#child.once("error", (error) => {
        const why = codeOf(error) === "ENOEXEC" ? "it is made for another kind of machine" : messageOf(error);
        reject(new ServerError("START", `The Triton server ${installation.binary} cannot be started: ${why}.`));
      });
    });
    const forget = () => process.off("exit", end);
    this.ended.then(forget, forget);
  }

  #follow(stream: NodeJS.ReadableStream | null, log: LogTarget): void {
    const splitter = new LineSplitter();
    const sink = log.open();
    const take = (line: string) => {
      this.#read(line);
      sink.line(line);
    };
    stream?.on("data", (chunk: Uint8Array) => splitter.push(chunk).forEach(take));
    stream?.on("end", () => {
      splitter.end().forEach(take);
      sink.end();
    });
  }

  #read(line: string): void {
    this.#errors.take(line);
    this.#loadFailures.take(line);
    this.#unloading ||= parseLogLine(line)?.text === unloads;
  }

  #readLogFile(): void {
    for (const line of this.#logFile?.read() ?? []) this.#read(line);
  }

  /** What its log says about models, up to now. */
  get loadFailures(): LoadFailures {
    this.#readLogFile();
    return this.#loadFailures;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /**
   * Waits until the endpoints are open: Triton opens them when it has tried to load every model.
   *
   * @throws ServerError when the server ends before, cannot be started, or takes too long, whereupon it is killed
   */
  async untilReady({ timeoutMs = Number.POSITIVE_INFINITY, pollMs = 100 }: Patience = {}): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (this.running) {
      // Another program may have taken the port meanwhile and answer in the server's place.
      if ((await this.#isOpen()) && this.running) return;
      if (Date.now() > deadline) {
        this.signal("SIGKILL");
        await this.ended;
        const late = `The Triton server was not ready after ${timeoutMs} ms. Its log is ${this.logPlace}.`;
        throw new ServerError("START", late);
      }
      await sleep(pollMs);
    }
    const end = await this.ended;
    this.#readLogFile();
    throw explainEarlyEnd(end, this.#errors, this.endpoints, this.logPlace);
  }

  async #isOpen(): Promise<boolean> {
    if (this.client) return isAnswering(this.client.host);
    return (await Promise.all(this.endpoints.map(isListening))).every(Boolean);
  }

  /** SIGTERM makes the server finish what it has; after SIGKILL, model instances notice and end by themselves. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /**
   * Has the server finish what it has, unload, and end. After a failed reload Triton counts a model twice and waits its
   * whole exit timeout for it; so then, and only then, it is ended when it has said that no request is left, and the
   * processes of all models have ended. That counts as an end in order. Without a failed reload the server is the one to
   * know when it has unloaded: models of backends inside its process are not seen from here.
   */
  terminate(): void {
    this.signal("SIGTERM");
    const timer = setInterval(() => this.#endIfUnloaded(), unloadPollMs);
    const forget = () => clearInterval(timer);
    this.ended.then(forget, forget);
  }

  #endIfUnloaded(): void {
    this.#readLogFile();
    const mayCountTwice = this.#unloading && this.#loadFailures.reloadHasFailed;
    if (!mayCountTwice || !this.running || childrenOf(this.pid!).length > 0) {
      this.#unloadedAt = undefined;
      return;
    }
    this.#unloadedAt ??= Date.now();
    if (Date.now() - this.#unloadedAt < unloadedMs) return;
    this.#overdue = true;
    this.signal("SIGKILL");
  }

  /** Stops the server in order, or at once when that takes longer than `patienceMs`, and waits for its end. */
  async stop(patienceMs: number): Promise<ServerEnd> {
    this.terminate();
    const timer = setTimeout(() => this.signal("SIGKILL"), patienceMs);
    return this.ended.finally(() => clearTimeout(timer));
  }
}
