// SPDX-License-Identifier: Apache-2.0
// What viam-server does for clients that speak gRPC over HTTP/1.1: hands their calls to a gRPC server, one message each way.
import http from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";

const headBytes = 5;
const trailersFlag = 0x80;

function framed(flag: number, bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(headBytes);
  head[0] = flag;
  head.writeUInt32BE(bytes.byteLength, 1);
  return Buffer.concat([head, bytes]);
}

function answerOf(error: Pick<ServiceError, "code" | "details"> | null, reply: Buffer | undefined): Buffer {
  const details = encodeURIComponent(error?.details ?? "");
  const trailers = framed(
    trailersFlag,
    Buffer.from(`grpc-status: ${error?.code ?? 0}\r\ngrpc-message: ${details}\r\n`),
  );
  return reply === undefined ? trailers : Buffer.concat([framed(0, reply), trailers]);
}

export interface GrpcWebBridge {
  readonly url: string;
  close(): void;
}

/** Answers a call itself: message to message. Undefined for a method that goes on to the target. */
export type OwnMethods = (path: string) => ((message: Uint8Array) => Promise<Uint8Array>) | undefined;

/** Listens at a port of this machine, a free one by default, for calls to `target`. */
export async function grpcWebBridge(
  target: string,
  { port = 0, own = () => undefined }: { port?: number; own?: OwnMethods } = {},
): Promise<GrpcWebBridge> {
  const limits = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
  const client = new Client(target, credentials.createInsecure(), limits);
  const asItIs = (bytes: Buffer) => bytes;
  const server = http.createServer(async (request, response) => {
    const message = (await buffer(request)).subarray(headBytes);
    const answer = (bytes: Buffer) => {
      response.writeHead(200, { "content-type": "application/grpc-web+proto" });
      response.end(bytes);
    };
    // Of the robot itself the SDK asks whether it is there.
    if (request.url?.startsWith("/viam.robot.v1.RobotService/")) return answer(answerOf(null, Buffer.alloc(0)));
    const method = own(request.url ?? "");
    if (method !== undefined) {
      return method(message).then(
        (reply) => answer(answerOf(null, Buffer.from(reply))),
        (error: Error) => answer(answerOf({ code: 2, details: error.message }, undefined)),
      );
    }
    client.makeUnaryRequest(request.url ?? "", asItIs, asItIs, message, (error, reply?: Buffer) =>
      answer(answerOf(error, reply)),
    );
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
      client.close();
    },
  };
}
