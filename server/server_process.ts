// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { codeOf, messageOf, ServerError } from "./error.ts";
import { LoadFailures } from "./load_failures.ts";
import { LastErrors, LineSplitter } from "./server_log.ts";

/** Takes one stream of a server's log, line by line. */
export interface LineSink {
  line(text: string): void;
  end(): void;
}

export interface LaunchOptions {
  binary: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  /** Makes what takes a stream of the server's log; called for each of the two. */
  log: () => LineSink;
}

/** How the server ended. */
export interface ServerEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** setpriv (util-linux) asks the kernel to end a server when this process dies, even of SIGKILL. */
function parentDeathGuard(env: NodeJS.ProcessEnv): string | undefined {
  for (const folder of (env["PATH"] ?? "").split(path.delimiter)) {
    const candidate = path.join(folder, "setpriv");
    if (folder !== "" && existsSync(candidate)) return candidate;
  }
  return undefined;
}

/** True when the server ends together with this process, however that ends. */
export function diesWithUs(env: NodeJS.ProcessEnv = process.env): boolean {
  return parentDeathGuard(env) !== undefined;
}

/** A command that ends together with this process, where setpriv is there to see to it. */
export function guarded(binary: string, args: readonly string[], env: NodeJS.ProcessEnv): [string, ...string[]] {
  const guard = parentDeathGuard(env);
  return guard === undefined ? [binary, ...args] : [guard, "--pdeathsig", "TERM", "--", binary, ...args];
}

/** A running tritonserver, its log on the way to the user. */
export class ServerProcess {
  readonly ended: Promise<ServerEnd>;
  readonly errors = new LastErrors();
  readonly loadFailures = new LoadFailures();
  /** Names of the services that the log said were started, such as "HTTPService". */
  readonly started = new Set<string>();
  #child: ChildProcess;

  constructor(options: LaunchOptions) {
    const [command, ...args] = guarded(options.binary, options.args, options.env);
    // A session of its own: Ctrl-C reaches us only, and we stop the server in order.
    this.#child = spawn(command, args, { env: options.env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    this.#follow(this.#child.stdout, options.log());
    this.#follow(this.#child.stderr, options.log());
    this.ended = new Promise((resolve, reject) => {
      this.#child.once("close", (code, signal) => resolve({ code, signal }));
      this.#child.once("error", (error) => {
        const why = codeOf(error) === "ENOEXEC" ? "it is made for another kind of machine" : messageOf(error);
        reject(new ServerError("START", `The Triton server ${options.binary} cannot be started: ${why}.`));
      });
    });
  }

  #follow(stream: NodeJS.ReadableStream | null, log: LineSink): void {
    const splitter = new LineSplitter();
    const take = (line: string) => {
      this.errors.take(line);
      this.loadFailures.take(line);
      const service = /"Started (.+?) at /.exec(line)?.[1];
      if (service !== undefined) this.started.add(service);
      log.line(line);
    };
    stream?.on("data", (chunk: Uint8Array) => splitter.push(chunk).forEach(take));
    stream?.on("end", () => {
      splitter.end().forEach(take);
      log.end();
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Asks the server to finish what it has and end. */
  stop(): void {
    this.#child.kill("SIGTERM");
  }

  /** Ends the server at once; model instances notice and end by themselves. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
