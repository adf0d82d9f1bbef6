// SPDX-License-Identifier: Apache-2.0
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServerInterceptingCallInterface,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type ServiceError,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { promptStatus } from "./prompt_status.ts";

const asItIs = (bytes: Buffer): Buffer => bytes;
const method = (path: string, responseStream: boolean) => ({
  path,
  ...{ requestStream: false, responseStream },
  ...{ requestSerialize: asItIs, requestDeserialize: asItIs, responseSerialize: asItIs, responseDeserialize: asItIs },
});
const definition = { one: method("/test.Test/One", false), many: method("/test.Test/Many", true) };

const limit = 1000;
const server = new Server({ "grpc.max_send_message_length": limit, interceptors: [promptStatus] });
let client: Client;

beforeAll(async () => {
  server.addService(definition as ServiceDefinition, {
    one: (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
      if (call.request.length === 0) answer({ code: 3, details: "empty" });
      else answer(null, Buffer.alloc(call.request.readUInt16LE(), 5));
    },
    many: (call: ServerWritableStream<Buffer, Buffer>) => {
      for (const part of ["a", "b", "c"]) call.write(Buffer.from(part));
      call.end();
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
});

afterAll(() => {
  client.close();
  server.forceShutdown();
});

const ask = (request: Buffer) =>
  new Promise<Buffer>((resolve, reject) => {
    const settle = (error: ServiceError | null, reply?: Buffer) => (error === null ? resolve(reply!) : reject(error));
    client.makeUnaryRequest(definition.one.path, asItIs, asItIs, request, settle);
  });
const wants = (bytes: number) => ask(Buffer.from(Uint16Array.of(bytes).buffer));

test("the status is handed over before the message is written", () => {
  const done: string[] = [];
  // A fake call, whose connection takes nothing for now.
  const busy = {
    sendMetadata: () => done.push("metadata"),
    sendMessage: () => done.push("message"),
    sendStatus: () => done.push("status"),
  } as unknown as ServerInterceptingCallInterface;
  const call = promptStatus(definition.one, busy);
  call.sendMessage(Buffer.alloc(1), () => call.sendStatus({ code: 0, details: "" }));
  expect(done).toEqual(["metadata", "message", "status"]);
  const stream = promptStatus(definition.many, busy);
  stream.sendMessage(Buffer.alloc(1), () => stream.sendStatus({ code: 0, details: "" }));
  expect(done.slice(3)).toEqual(["metadata", "message"]);
});

test("answers, errors and streams arrive as without it", async () => {
  for (const size of [0, 1, limit]) expect(await wants(size)).toEqual(Buffer.alloc(size, 5));
  await expect(ask(Buffer.alloc(0))).rejects.toMatchObject({ code: 3, details: "empty" });
  const parts: string[] = [];
  const stream = client.makeServerStreamRequest(definition.many.path, asItIs, asItIs, Buffer.alloc(0));
  for await (const part of stream) parts.push(String(part));
  expect(parts).toEqual(["a", "b", "c"]);
});

test("an answer that is too large is an error, and the next one comes", async () => {
  await expect(wants(limit + 1)).rejects.toMatchObject({ code: 8 });
  expect(await wants(2)).toEqual(Buffer.alloc(2, 5));
});
