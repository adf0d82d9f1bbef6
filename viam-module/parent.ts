// SPDX-License-Identifier: Apache-2.0
// The robot that started this module: takes its log, and takes it along when it ends.
import { setTimeout as sleep } from "node:timers/promises";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Client, connectivityState, credentials } from "@grpc/grpc-js";
import { RobotService } from "../proto/gen/viam/robot/v1/robot_pb.ts";
import { serviceDefinition } from "../proto/service_definition.ts";
import { grpcTarget } from "./address.ts";
import { type LogRecord, type LogSink, outputSink } from "./log.ts";

const method = serviceDefinition(RobotService).log;

/** A robot that does not take an entry within this time gets it on our output. */
const patienceMs = 5000;
/** More entries that are on their way at once go to our output: a robot that is slow must not fill our memory. */
const mostOpen = 200;
/** How long the robot may be unreachable, once it was there, before it counts as gone. */
const usualGoneMs = 20_000;
const checkMs = 500;
/** How long the last entries may take at the end. */
const closeMs = 1000;

/** What is told about the robot's being there. */
export interface ParentWatch {
  /** It was reached for the first time. */
  met?: () => void;
  /** It was there, and then was not for a while. */
  gone: () => void;
  goneMs?: number | undefined;
}

/** The robot's names of levels. */
const robotLevel = { debug: "debug", info: "info", warning: "warn", error: "error" } as const;

export class Parent {
  readonly address: string;
  readonly #client: Client;
  #open = 0;
  #idle: (() => void) | undefined;

  constructor(address: string) {
    this.address = address;
    this.#client = new Client(grpcTarget(address), credentials.createInsecure());
  }

  /** Sends one entry, which is all that a robot takes in a call. */
  readonly log: LogSink = (record) => {
    if (this.#open >= mostOpen) return outputSink(record);
    this.#open++;
    const { path, requestSerialize, responseDeserialize } = method;
    const request = { logs: [entryOf(record)] };
    const options = { deadline: Date.now() + patienceMs };
    this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, options, (error) => {
      this.#open--;
      if (this.#open === 0) this.#idle?.();
      if (error !== null) outputSink(record);
    });
  };

  /** Calls back when the robot has been reached, and when it then is not for a while. Gives what ends the watch. */
  watch({ met = () => undefined, gone, goneMs = usualGoneMs }: ParentWatch): () => void {
    const channel = this.#client.getChannel();
    /** When it was last seen there; undefined before the first time. */
    let seen: number | undefined;
    const timer = setInterval(() => {
      // Asking for a connection is what makes the channel try again.
      if (channel.getConnectivityState(true) === connectivityState.READY) {
        if (seen === undefined) met();
        seen = Date.now();
      }
      if (seen === undefined || Date.now() - seen < goneMs) return;
      clearInterval(timer);
      gone();
    }, checkMs);
    timer.unref();
    return () => clearInterval(timer);
  }

  /** Closes the connection when what was said is with the robot, or after a moment. */
  async close(): Promise<void> {
    if (this.#open > 0) {
      const idle = new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
      await Promise.race([idle, sleep(closeMs, undefined, { ref: false })]);
    }
    this.#client.close();
  }
}

function entryOf({ level, logger, message, time }: LogRecord) {
  return { level: robotLevel[level], loggerName: logger, message, time: timestampFromDate(time) };
}

/** Calls back when the process that started this one has ended. Gives what ends the watch. */
export function onOrphaned(orphaned: () => void): () => void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    orphaned();
  }, checkMs);
  timer.unref();
  return () => clearInterval(timer);
}
