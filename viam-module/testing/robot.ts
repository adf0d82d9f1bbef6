// SPDX-License-Identifier: Apache-2.0
// A fake robot: what viam-server does to a module, as far as the module sees it. It takes the log, and asks.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { DescMethodUnary, JsonObject, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { Client, type ClientUnaryCall, credentials, Server, ServerCredentials, type ServiceError } from "@grpc/grpc-js";
import type { LogEntry } from "../../proto/gen/viam/common/v1/common_pb.ts";
import { ModuleService } from "../../proto/gen/viam/module/v1/module_pb.ts";
import { RobotService } from "../../proto/gen/viam/robot/v1/robot_pb.ts";
import { MLModelService } from "../../proto/gen/viam/service/mlmodel/v1/mlmodel_pb.ts";
import { type GrpcMethod, serviceDefinition } from "../../proto/service_definition.ts";
import { packageRoot } from "../../server/package_root.ts";
import { until } from "../../server/testing/until.ts";

const moduleMethods = serviceDefinition(ModuleService);
const modelMethods = serviceDefinition(MLModelService);

export interface CallLimits {
  signal?: AbortSignal;
  timeoutMs?: number;
}

/** Calls a method; rejects with the error of grpc-js. */
function ask<M extends DescMethodUnary>(
  client: Client,
  { path: method, requestSerialize, responseDeserialize }: GrpcMethod<M>,
  request: MessageInitShape<M["input"]>,
  { signal, timeoutMs = 120_000 }: CallLimits = {},
): Promise<MessageShape<M["output"]>> {
  return new Promise((resolve, reject) => {
    let call: ClientUnaryCall | undefined;
    const settle = (error: ServiceError | null, answer?: MessageShape<M["output"]>) => {
      signal?.removeEventListener("abort", cancel);
      if (error === null) resolve(answer!);
      else reject(error);
    };
    const cancel = () => call?.cancel();
    const options = { deadline: Date.now() + timeoutMs };
    call = client.makeUnaryRequest(method, requestSerialize, responseDeserialize, request, options, settle);
    signal?.addEventListener("abort", cancel);
  });
}

const unlimited = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };

/** What a robot asks of a module. */
export class ModuleClient {
  readonly grpc: Client;

  constructor(target: string) {
    this.grpc = new Client(target, credentials.createInsecure(), unlimited);
  }

  ready(rawParentAddress = "") {
    return ask(this.grpc, moduleMethods.ready, { rawParentAddress, parentAddress: rawParentAddress });
  }

  validate(name: string, attributes: JsonObject) {
    return ask(this.grpc, moduleMethods.validateConfig, { config: resource(name, attributes) });
  }

  add(name: string, attributes: JsonObject, limits?: CallLimits) {
    return ask(this.grpc, moduleMethods.addResource, { config: resource(name, attributes) }, limits);
  }

  reconfigure(name: string, attributes: JsonObject) {
    return ask(this.grpc, moduleMethods.reconfigureResource, { config: resource(name, attributes) });
  }

  remove(name: string) {
    return ask(this.grpc, moduleMethods.removeResource, { name: `rdk:service:mlmodel/${name}` });
  }

  async metadata(name: string) {
    return (await ask(this.grpc, modelMethods.metadata, { name })).metadata!;
  }

  async status(name: string): Promise<JsonObject> {
    return (await ask(this.grpc, modelMethods.getStatus, { name })).result!;
  }

  async infer(
    name: string,
    tensors: NonNullable<MessageInitShape<typeof MLModelService.method.infer.input>["inputTensors"]>["tensors"],
    { extra, ...limits }: CallLimits & { extra?: JsonObject } = {},
  ) {
    const request = { name, inputTensors: { tensors }, ...(extra === undefined ? {} : { extra }) };
    return (await ask(this.grpc, modelMethods.infer, request, limits)).outputTensors?.tensors ?? {};
  }

  close(): void {
    this.grpc.close();
  }
}

export function resource(name: string, attributes: JsonObject) {
  return { name, api: "rdk:service:mlmodel", model: "viam:mlmodelservice:triton", attributes };
}

/** A robot that takes the log of modules, at a socket in a folder of its own. */
export class FakeRobot {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), "robot-"));
  readonly address = path.join(this.folder, "parent.sock");
  readonly entries: LogEntry[] = [];
  readonly #server = new Server();

  async listen(): Promise<void> {
    this.#server.addService(serviceDefinition(RobotService), {
      log: (call: { request: { logs: LogEntry[] } }, answer: (error: Error | null, reply?: object) => void) => {
        if (call.request.logs.length !== 1) return answer(new Error("a robot takes one entry in each call"));
        this.entries.push(...call.request.logs);
        answer(null, {});
      },
    });
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(`unix:${this.address}`, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  }

  /** The messages of the log so far, a line each. */
  log(): string {
    return this.entries.map(({ level, loggerName, message }) => `${level} ${loggerName}: ${message}`).join("\n");
  }

  /** Stops listening, as one that has ended. */
  stop(): void {
    this.#server.forceShutdown();
  }

  close(): void {
    this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface ModuleProcessOptions {
  args?: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** The command before the address. Default: the sources on the Node that runs this. */
  command?: readonly string[];
}

/** A module in a process of its own, as a robot starts it. */
export class ModuleProcess {
  readonly address: string;
  readonly client: ModuleClient;
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  #output = "";

  constructor(address: string, { args = [], env = {}, command }: ModuleProcessOptions = {}) {
    this.address = address;
    const main = path.join(packageRoot, "viam-module", "main.ts");
    const [program = "", ...rest] = command ?? [process.execPath, main];
    this.child = spawn(program, [...rest, address, ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const take = (chunk: Buffer) => {
      this.#output += chunk.toString();
    };
    this.child.stdout?.on("data", take);
    this.child.stderr?.on("data", take);
    this.ended = new Promise((resolve) => this.child.once("close", (code, signal) => resolve({ code, signal })));
    this.client = new ModuleClient(address.startsWith("/") ? `unix:${address}` : address);
  }

  /** What it printed. */
  output(): string {
    return this.#output;
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Waits until it answers Ready, as a robot does: it asks again while nobody listens. */
  async untilReady(parent = ""): Promise<void> {
    await until(() => {
      if (this.child.exitCode !== null) throw new Error(`The module has ended:\n${this.#output}`);
      return this.client.ready(parent).then(
        ({ ready }) => ready,
        () => false,
      );
    }, "the module to be ready");
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.child.kill(signal);
    const end = await this.ended;
    this.client.close();
    return end;
  }
}
