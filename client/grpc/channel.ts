// SPDX-License-Identifier: Apache-2.0
// Calls over one connection of grpc-js: their limits, how they are given up, and what their failures mean.
import type { DescMethodBiDiStreaming, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import {
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  type ClientUnaryCall,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import type { GrpcMethod } from "../../proto/service_definition.ts";
import type { CallOptions } from "../call_options.ts";
import { type CallSubject, cancelled, overdue, reasonOf, refused, unreadable } from "../client_error.ts";
import type { Endpoint } from "./endpoint.ts";
import { failureOf } from "./status.ts";

/** Protocol buffers, and so gRPC's messages, end there. */
const MAX_MESSAGE_BYTES = 2 ** 31 - 1;

const OPTIONS: ChannelOptions = {
  // The default is 4 MiB.
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  // What may be under way of answers. HTTP/2 begins with 64 KiB, and a large tensor would wait for leave again and again.
  "grpc-node.flow_control_window": 8 * 1024 * 1024,
  // Nobody can ask for what it would note of each call.
  "grpc.enable_channelz": 0,
  // A server that is just being started is found soon.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 5000,
};

const asIs = (bytes: Buffer): Buffer => bytes;

/** A call that has been sent. */
interface OpenCall {
  cancel(): void;
}

/** Why a call was given up on this side. */
type GivenUp = { why: string; cause?: unknown };

/** A connection to a server, which is made when it is needed and made again when it is lost. */
export class GrpcChannel {
  readonly host: string;
  readonly #client: Client;
  readonly #open = new Map<OpenCall, (givenUp: GivenUp) => void>();
  #isClosed = false;

  constructor(endpoint: Endpoint, options: ChannelOptions) {
    this.host = endpoint.host;
    const proxy: ChannelOptions = endpoint.isLocal ? { "grpc.enable_http_proxy": 0 } : {};
    this.#client = new Client(endpoint.target, endpoint.credentials, {
      ...OPTIONS,
      ...proxy,
      ...endpoint.options,
      ...options,
    });
  }

  /** Asks one thing. Rejects with a `ClientError`. */
  unary<M extends DescMethodUnary>(
    method: GrpcMethod<M>,
    message: MessageInitShape<M["input"]>,
    subject: CallSubject,
    options: CallOptions,
  ): Promise<MessageShape<M["output"]>> {
    return new Promise((resolve, reject) => {
      const bytes = this.#bytesOf(method, message, subject);
      const life = this.#begin(subject, options);
      const done = (error: ServiceError | null, answer?: Buffer) => {
        life.end();
        try {
          if (error !== null) throw life.failure(error);
          resolve(readable(method, answer ?? Buffer.alloc(0), subject));
        } catch (failure) {
          reject(failure);
        }
      };
      const { path } = method;
      const call: ClientUnaryCall = this.#client.makeUnaryRequest(
        path,
        asIs,
        asIs,
        bytes,
        metadataOf(options, subject),
        life.callOptions,
        done,
      );
      life.isOpen(call);
    });
  }

  /**
   * Sends one message, and gives what comes back until the server ends the call. Leaving the loop cancels it.
   *
   * @throws ClientError
   */
  async *stream<M extends DescMethodBiDiStreaming>(
    method: GrpcMethod<M>,
    message: MessageInitShape<M["input"]>,
    subject: CallSubject,
    options: CallOptions,
  ): AsyncGenerator<MessageShape<M["output"]>, undefined> {
    const bytes = this.#bytesOf(method, message, subject);
    const life = this.#begin(subject, options);
    const metadata = metadataOf(options, subject);
    const { path } = method;
    const call: ClientDuplexStream<Buffer, Buffer> = this.#client.makeBidiStreamRequest(
      path,
      asIs,
      asIs,
      metadata,
      life.callOptions,
    );
    life.isOpen(call);
    // A call that is cancelled when nobody waits for its next message has nobody who hears of it.
    call.on("error", () => {});
    try {
      call.write(bytes);
      call.end();
      for await (const answer of call) yield readable(method, answer as Buffer, subject);
    } catch (error) {
      throw isServiceError(error) ? life.failure(error) : error;
    } finally {
      life.end();
      call.cancel();
    }
    return undefined;
  }

  /** Cancels what is open, and takes no more calls. */
  close(): void {
    this.#isClosed = true;
    for (const [call, giveUp] of this.#open) {
      giveUp({ why: "the client was closed" });
      call.cancel();
    }
    this.#client.close();
  }

  #bytesOf<M extends DescMethodUnary | DescMethodBiDiStreaming>(
    method: GrpcMethod<M>,
    message: MessageInitShape<M["input"]>,
    subject: CallSubject,
  ): Buffer {
    let bytes: Buffer;
    try {
      bytes = method.requestSerialize(message);
    } catch (error) {
      throw refused(subject, `it cannot be written as a message: ${(error as Error).message}`, error);
    }
    if (bytes.byteLength <= MAX_MESSAGE_BYTES) return bytes;
    throw refused(
      subject,
      `its message has ${bytes.byteLength} bytes, but gRPC carries 2 GiB at most. Put large tensors into SharedMemory.`,
    );
  }

  /** Takes up a call, unless it is over before it began. */
  #begin(subject: CallSubject, { signal, deadlineMs }: CallOptions) {
    if (deadlineMs !== undefined && !(deadlineMs > 0)) {
      throw refused(subject, `the option 'deadlineMs' must be a number above 0, but is ${String(deadlineMs)}.`);
    }
    if (this.#isClosed) throw cancelled(subject, "the client was closed");
    if (signal?.aborted) throw cancelled(subject, reasonOf(signal), signal.reason);
    let givenUp: GivenUp | undefined;
    let open: OpenCall | undefined;
    const abort = () => {
      givenUp = { why: reasonOf(signal!), cause: signal!.reason };
      open?.cancel();
    };
    signal?.addEventListener("abort", abort, { once: true });
    const isLimited = deadlineMs !== undefined && Number.isFinite(deadlineMs);
    return {
      callOptions: isLimited ? { deadline: Date.now() + deadlineMs } : {},
      isOpen: (call: OpenCall) => {
        open = call;
        this.#open.set(call, (reason) => {
          givenUp = reason;
        });
      },
      end: () => {
        signal?.removeEventListener("abort", abort);
        if (open !== undefined) this.#open.delete(open);
      },
      failure: (error: ServiceError) => {
        if (givenUp !== undefined) return cancelled(subject, givenUp.why, givenUp.cause ?? error);
        if (isLimited && error.code === status.DEADLINE_EXCEEDED) return overdue(subject, deadlineMs, error);
        return failureOf(subject, error);
      },
    };
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error && "metadata" in error;
}

function metadataOf({ headers = {} }: CallOptions, subject: CallSubject): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) {
    try {
      metadata.set(name, value);
    } catch (error) {
      throw refused(subject, `the header '${name}' cannot be sent: ${(error as Error).message}`, error);
    }
  }
  return metadata;
}

function readable<M extends DescMethodUnary | DescMethodBiDiStreaming>(
  method: GrpcMethod<M>,
  bytes: Buffer,
  subject: CallSubject,
): MessageShape<M["output"]> {
  try {
    return method.responseDeserialize(bytes);
  } catch (error) {
    throw unreadable(subject, `${(error as Error).message}. Is this the gRPC endpoint of a Triton server?`, error);
  }
}
