// SPDX-License-Identifier: Apache-2.0
// The module as one thing: its services on one address, its resources, and the servers behind them.
import { rmSync } from "node:fs";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { ServerReflection } from "../proto/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { ModuleService } from "../proto/gen/viam/module/v1/module_pb.ts";
import { MLModelService } from "../proto/gen/viam/service/mlmodel/v1/mlmodel_pb.ts";
import { serviceDefinition } from "../proto/service_definition.ts";
import { messageOf } from "../server/error.ts";
import { freeSocket, grpcTarget, whyNoListening } from "./address.ts";
import type { LogLevel } from "./attributes.ts";
import { Hosts } from "./hosts.ts";
import { temporaryFolder } from "./labels.ts";
import { Log, outputSink } from "./log.ts";
import { mlmodelDefinition, mlmodelHandlers } from "./mlmodel_service.ts";
import { moduleHandlers } from "./module_service.ts";
import { Parent } from "./parent.ts";
import { promptStatus } from "./prompt_status.ts";
import { widenReceiveWindows } from "./receive_window.ts";
import { reflectionOf } from "./reflection.ts";
import { Resources } from "./resources.ts";

/** A picture of 1920x1080 has 6 MiB of uint8 and 24 MiB of float32. */
const mostMessageBytes = 64 * 1024 * 1024;
/** How long calls that are open may take when the module stops. */
const drainMs = 1000;

export interface ModuleOptions {
  /** Where the robot reaches the module: a path of a socket, or host and port. */
  address: string;
  logLevel: LogLevel;
  /** Whether there is a robot to send the log to. */
  hasParent: boolean;
  /** The robot was there and is gone. */
  onParentGone: () => void;
  /** How long it may be unreachable before it counts as gone. Default: 20 s. */
  parentGoneMs?: number | undefined;
}

export class ViamModule {
  readonly #options: ModuleOptions;
  readonly #server: Server;
  readonly #hosts: Hosts;
  readonly #resources: Resources;
  readonly log: Log;
  readonly #narrow = widenReceiveWindows();
  #parent: Parent | undefined;
  #unwatch: () => void = () => undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: ModuleOptions) {
    this.#options = options;
    this.log = new Log(
      "triton-typescript",
      (record) => (this.#parent?.log ?? outputSink)(record),
      () => options.logLevel,
    );
    this.#hosts = new Hosts(this.log);
    this.#resources = new Resources(this.#hosts, this.log);
    this.#server = new Server({
      "grpc.max_receive_message_length": mostMessageBytes,
      "grpc.max_send_message_length": mostMessageBytes,
      // Nobody can ask for what it would note of each call.
      "grpc.enable_channelz": 0,
      interceptors: [promptStatus],
    });
    const onReady = (address: string) => this.#meet(address);
    this.#server.addService(serviceDefinition(ModuleService), moduleHandlers(this.#resources, { onReady }));
    this.#server.addService(mlmodelDefinition, mlmodelHandlers(this.#resources));
    const reflection = reflectionOf([ModuleService, MLModelService]);
    this.#server.addService(serviceDefinition(ServerReflection), reflection);
  }

  /** Listens; gives the port, which is 0 for a socket. */
  async listen(): Promise<number> {
    const { address } = this.#options;
    const why = whyNoListening(address);
    if (why !== undefined) throw new Error(`The module cannot listen at ${address}: ${why}`);
    freeSocket(address);
    const target = grpcTarget(address);
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(target, ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(new Error(`The module cannot listen at ${address}: ${error.message}`));
      });
    });
  }

  #meet(address: string): void {
    if (!this.#options.hasParent || address === "" || this.#parent?.address === address) return;
    this.#unwatch();
    void this.#parent?.close();
    try {
      this.#parent = new Parent(address);
      this.#unwatch = this.#parent.watch({
        met: () => this.log.debug(`The robot answers at ${address}.`),
        gone: this.#options.onParentGone,
        goneMs: this.#options.parentGoneMs,
      });
    } catch (error) {
      this.log.warning(`The log stays on the module's output: ${messageOf(error)}`);
    }
  }

  /** Ends the calls, the resources and the servers. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const drained = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    const timer = setTimeout(() => this.#server.forceShutdown(), drainMs);
    await drained;
    clearTimeout(timer);
    this.#narrow();
    // The servers end with all that they have loaded: nothing is unloaded one by one.
    await this.#hosts.stop();
    await this.#resources.removeAll();
    this.#unwatch();
    await this.#parent?.close();
    const folder = temporaryFolder();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}
