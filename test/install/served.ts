// SPDX-License-Identifier: Apache-2.0
// A tritonserver on a folder of backends that was unpacked, with nothing of the checkout but the models.
import { type HttpClient, Tensor } from "../../client/http/index.ts";
import { tritonArguments } from "../../server/arguments.ts";
import type { Installation } from "../../server/installation.ts";
import { freePorts } from "../../server/ports.ts";
import { ServerProcess } from "../../server/server_process.ts";

export interface Served {
  client: HttpClient;
  pid: number;
  log(): string;
  stop(): Promise<void>;
}

/** What is served, and by whom. */
export interface ServeOptions {
  installation: Installation;
  backends: string;
  repository: string;
  env: NodeJS.ProcessEnv;
  /** Options of --backend-config. */
  backendConfig?: readonly string[];
  timeoutMs: number;
}

/** Starts a server and waits until it has tried to load every model. */
export async function serve(what: ServeOptions): Promise<Served> {
  const { installation, backends, repository, env, backendConfig = [], timeoutMs } = what;
  const [httpPort, grpcPort, metricsPort] = (await freePorts(3)).map(String);
  const options = { httpPort, grpcPort, metricsPort, backendConfig };
  const args = tritonArguments({
    repositories: [repository],
    options,
    extra: [],
    backendDirectory: backends,
    installation,
  });
  let log = "";
  const line = (text: string) => {
    log += `${text}\n`;
  };
  const target = { place: "below", open: () => ({ line, end() {} }) };
  // The checkout's own, which a server of the command is told of.
  const untold = { TRITON_TYPESCRIPT_RUNTIME: undefined, TRITON_TYPESCRIPT_NODE: undefined };
  const server = new ServerProcess({
    installation,
    args,
    env: { ...untold, ...env },
    log: target,
    orphanSignal: "KILL",
  });
  const stop = async () => {
    server.signal("SIGTERM");
    await server.ended;
  };
  try {
    await server.untilReady({ timeoutMs, pollMs: 100 });
  } catch (error) {
    server.signal("SIGKILL");
    throw new Error(`${(error as Error).message}\n${log.slice(-6000)}`);
  }
  return { client: server.client!, pid: server.pid!, log: () => log, stop };
}

/** Asks the model add_sub of the examples; gives sums and differences of 0..15 and 1. */
export async function askAddSub(client: HttpClient): Promise<number[][]> {
  const numbers = Float32Array.from({ length: 16 }, (_, i) => i);
  const inputs = [new Tensor("INPUT0", numbers, [1, 16]), new Tensor("INPUT1", new Float32Array(16).fill(1), [1, 16])];
  const result = await client.infer("add_sub", inputs);
  return ["OUTPUT0", "OUTPUT1"].map((name) => Array.from(result.output(name, "FP32").data));
}

/** What askAddSub must give. */
export const ADD_SUB = [1, -1].map((one) => Array.from({ length: 16 }, (_, i) => i + one));
