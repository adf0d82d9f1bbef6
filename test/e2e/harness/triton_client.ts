// SPDX-License-Identifier: Apache-2.0
// tritonclient, the official Python client, driven from a test through one long-lived Python process.
import { type ChildProcess, spawn } from "node:child_process";
import readline from "node:readline";
import { fileURLToPath } from "node:url";
import { inject } from "vitest";
import type { TestServer } from "./server.ts";
import { fromRawBytes, type NumericArray, rawBytes, type WireTensor } from "./tensors.ts";

const driver = fileURLToPath(new URL("../python/driver.py", import.meta.url));

export type Protocol = "http" | "grpc";

/** An input, by default inside the request; with `region` through system shared memory of that name. */
export type ClientInput = WireTensor & { region?: string };

export interface ClientOutput {
  name: string;
  /** Ask for the best classes instead of the values. */
  classCount?: number;
  /** The system shared memory that receives the output, and its size. */
  region?: string;
  byteSize?: number;
}

export interface InferOptions {
  inputs: readonly ClientInput[];
  /** All when left out. */
  outputs?: readonly (string | ClientOutput)[];
  /** HTTP only: false sends and gets tensors as JSON. */
  binary?: boolean;
  id?: string;
  version?: number;
  sequence?: { id: number | string; start?: boolean; end?: boolean };
  priority?: number;
  /** Microseconds that the request may wait in the server. */
  timeoutUs?: number;
  parameters?: Record<string, string | number | boolean>;
}

export interface InferReply {
  id: string;
  modelName: string;
  modelVersion: string;
  parameters: Record<string, string | number | boolean>;
  outputs: WireTensor[];
  /** The output of that name. */
  output(name: string): WireTensor;
}

/** An error that the server answered with. */
export class ClientError extends Error {
  /** HTTP: "400" and the like; gRPC: "StatusCode.INVALID_ARGUMENT" and the like. */
  readonly status: string | null;

  constructor(message: string, status: string | null) {
    super(message);
    this.status = status;
  }
}

interface DriverTensor extends Omit<WireTensor, "data"> {
  data: string | string[];
}

type DriverResult = Omit<InferReply, "outputs" | "output"> & { outputs: DriverTensor[] };

/** What comes over a gRPC stream. */
export type StreamItem = InferReply | ClientError;

interface DriverReply {
  tag: number;
  result?: unknown;
  error?: { message: string; status: string | null };
}

interface Waiting {
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

const open = new Set<TritonClient>();

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

function encode(input: ClientInput): object {
  const data =
    input.datatype === "BYTES"
      ? (input.data as Uint8Array[]).map(base64)
      : base64(rawBytes(input.data as NumericArray));
  return { ...input, data };
}

function decode(found: DriverTensor): WireTensor {
  if (found.datatype === "BYTES") {
    return { ...found, data: (found.data as string[]).map((text) => new Uint8Array(Buffer.from(text, "base64"))) };
  }
  return { ...found, data: fromRawBytes(found.datatype, Buffer.from(found.data as string, "base64")) };
}

function inferReply(reply: DriverResult): InferReply {
  const decoded = reply.outputs.map(decode);
  return {
    ...reply,
    outputs: decoded,
    output(name) {
      const found = decoded.find((output) => output.name === name);
      if (found === undefined) throw new Error(`There is no output ${name}, only ${decoded.map((o) => o.name)}.`);
      return found;
    },
  };
}

function clientArguments(options: InferOptions): object {
  const { sequence } = options;
  return {
    request_id: options.id,
    model_version: options.version === undefined ? undefined : String(options.version),
    sequence_id: sequence?.id,
    sequence_start: sequence === undefined ? undefined : sequence.start === true,
    sequence_end: sequence === undefined ? undefined : sequence.end === true,
    priority: options.priority,
    timeout: options.timeoutUs,
    parameters: options.parameters,
  };
}

/** One Python process with tritonclient, connected to a server over HTTP and gRPC. Calls run at the same time. */
export class TritonClient {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #stderr = "";
  #ended = false;
  #tag = 0;

  constructor(server: TestServer) {
    this.#child = spawn(inject("python"), [driver, server.url.replace("http://", ""), server.grpcUrl], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    open.add(this);
    server.closeAtStop(this);
    readline.createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#take(JSON.parse(line)));
    this.#child.stderr!.on("data", (chunk) => {
      this.#stderr += chunk;
    });
    this.#child.stdin!.on("error", () => undefined); // what was written to a client that ended; see #fail
    this.#child.once("close", () => this.#fail());
  }

  /** Runs one inference. Rejects with `ClientError` when the server answers with an error. */
  async infer(protocol: Protocol, model: string, options: InferOptions): Promise<InferReply> {
    const outputs = options.outputs?.map((output) => (typeof output === "string" ? { name: output } : output));
    const reply = (await this.#send({
      operation: "infer",
      protocol,
      model,
      inputs: options.inputs.map(encode),
      outputs,
      binary: options.binary,
      options: clientArguments(options),
    })) as DriverResult;
    return inferReply(reply);
  }

  /**
   * Runs inferences over one gRPC stream and gives all that comes back in its order: responses, errors, and the empty responses
   * that say only that there are no more of a request.
   *
   * @param cancelAfter cancels the stream after so many responses
   */
  async stream(model: string, requests: readonly InferOptions[], cancelAfter?: number): Promise<StreamItem[]> {
    const replies = (await this.#send({
      operation: "stream",
      model,
      cancelAfter,
      requests: requests.map((options) => ({
        inputs: options.inputs.map(encode),
        options: clientArguments(options),
      })),
    })) as (DriverResult | { error: { message: string; status: string | null } })[];
    return replies.map((reply) =>
      "error" in reply ? new ClientError(reply.error.message, reply.error.status) : inferReply(reply),
    );
  }

  /** Runs an inference over gRPC that is cancelled when `when` has settled, and gives the status of the answer. */
  async cancel(model: string, options: InferOptions, when: () => Promise<unknown>): Promise<string> {
    const inputs = options.inputs.map(encode);
    const tag = this.#tag;
    const answer = this.#send({ operation: "cancel", model, inputs });
    answer.catch(() => undefined);
    await when();
    this.#write({ operation: "go_on", tag });
    return (await answer) as string;
  }

  /** Calls another method of tritonclient's InferenceServerClient, such as get_model_config. */
  call(protocol: Protocol, method: string, args: object = {}): Promise<unknown> {
    return this.#send({ operation: "call", protocol, method, arguments: args });
  }

  close(): void {
    open.delete(this);
    this.#child.kill("SIGKILL");
  }

  #send(command: object): Promise<unknown> {
    const tag = this.#tag++;
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(this.#endError());
        return;
      }
      this.#waiting.set(tag, { resolve, reject });
      this.#write({ ...command, tag });
    });
  }

  #write(command: object): void {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`);
  }

  #take(reply: DriverReply): void {
    const waiting = this.#waiting.get(reply.tag);
    this.#waiting.delete(reply.tag);
    if (reply.error !== undefined) waiting?.reject(new ClientError(reply.error.message, reply.error.status));
    else waiting?.resolve(reply.result);
  }

  #endError(): Error {
    return new Error(`The Python client ended. ${this.#stderr}`);
  }

  #fail(): void {
    this.#ended = true;
    for (const { reject } of this.#waiting.values()) reject(this.#endError());
    this.#waiting.clear();
  }
}

/** Ends every client that a test left open. */
export function closeClients(): void {
  for (const client of open) client.close();
}
