// SPDX-License-Identifier: Apache-2.0
// Asks a server that has HTTP switched off for its models. Three questions without streams or TLS: Node's own HTTP/2
// and a walk over the fields of the answers are enough, where a gRPC package would bring twenty others along.
import http2 from "node:http2";
import { messageOf, ServerError } from "./error.ts";
import type { IndexEntry } from "./kserve.ts";
import type { ModelSource } from "./model_source.ts";

const service = "inference.GRPCInferenceService";
const patienceMs = 5000;

/** A message as gRPC frames it: not compressed, its length, its bytes. */
function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
}

/** A message of gRPC's, in which letters beyond ASCII are written as in addresses. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The bytes of one call's answer. Rejects with the status that the server gives. */
function call(address: string, method: string, message: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const session = http2.connect(`http://${address}`);
    const fail = (why: string) => {
      session.destroy();
      reject(new ServerError("UNREACHABLE", `No Triton server answers over gRPC at ${address} (${why}).`));
    };
    session.on("error", (error) => fail(messageOf(error)));
    const stream = session.request({
      ":method": "POST",
      ":path": `/${service}/${method}`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    let status: http2.IncomingHttpHeaders = {};
    // A failure has its status in the only headers that come.
    stream.on("response", (headers) => Object.assign(status, headers));
    stream.on("trailers", (trailers) => {
      status = { ...status, ...trailers };
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", (error) => fail(messageOf(error)));
    stream.on("close", () => fail("it closed the connection")); // too late to matter behind an end
    stream.setTimeout(patienceMs, () => fail(`nothing came within ${patienceMs} ms`));
    stream.on("end", () => {
      session.close();
      const code = status["grpc-status"];
      if (code === undefined) return fail("what it answers is not gRPC");
      if (code === "0") return resolve(Buffer.concat(chunks).subarray(5));
      const why = decoded(String(status["grpc-message"] ?? "no reason given"));
      reject(new ServerError("ANSWER", `The server answered with an error (gRPC ${code}): ${why}`));
    });
    stream.end(framed(message));
  });
}

function readVarint(bytes: Uint8Array, from: number): { value: number; next: number } {
  let value = 0;
  let at = from;
  for (let factor = 1; at < bytes.length; factor *= 128) {
    const byte = bytes[at++] ?? 0;
    value += (byte & 127) * factor;
    if (byte < 128) break;
  }
  return { value, next: at };
}

/** The strings and messages of a message, by the numbers of their fields; numbers are passed over. */
function fieldsOf(bytes: Buffer): Map<number, Buffer[]> {
  const fields = new Map<number, Buffer[]>();
  let at = 0;
  while (at < bytes.length) {
    const { value: key, next } = readVarint(bytes, at);
    const { value, next: after } = readVarint(bytes, next);
    const kind = key % 8;
    if (kind === 2) {
      const number = Math.floor(key / 8);
      fields.set(number, [...(fields.get(number) ?? []), bytes.subarray(after, after + value)]);
    }
    at = { 0: after, 1: next + 8, 2: after + value, 5: next + 4 }[kind] ?? bytes.length;
  }
  return fields;
}

const textOf = (fields: Map<number, Buffer[]>, number: number): string => fields.get(number)?.at(-1)?.toString() ?? "";

function encodeStrings(...values: string[]): Buffer {
  const parts = values.map((text, at) => {
    const bytes = Buffer.from(text);
    const length: number[] = [];
    for (let rest = bytes.length; ; rest >>= 7) {
      length.push(rest > 127 ? (rest & 127) | 128 : rest);
      if (rest <= 127) break;
    }
    return Buffer.concat([Buffer.from([(at + 1) * 8 + 2, ...length]), bytes]);
  });
  return Buffer.concat(parts);
}

/** One server, by host and port of its gRPC endpoint. */
export class GrpcClient implements ModelSource {
  readonly address: string;

  constructor(address: string) {
    this.address = address;
  }

  async serverMetadata(): Promise<{ version: string }> {
    const answer = fieldsOf(await call(this.address, "ServerMetadata", Buffer.alloc(0)));
    return { version: textOf(answer, 2) };
  }

  async repositoryIndex(): Promise<IndexEntry[]> {
    const answer = fieldsOf(await call(this.address, "RepositoryIndex", Buffer.alloc(0)));
    return (answer.get(1) ?? []).map(fieldsOf).map((entry) => ({
      name: textOf(entry, 1),
      version: textOf(entry, 2) || undefined,
      state: textOf(entry, 3) || undefined,
      reason: textOf(entry, 4) || undefined,
    }));
  }

  async modelConfig(model: string, version = ""): Promise<{ backend: string; platform: string }> {
    const answer = fieldsOf(await call(this.address, "ModelConfig", encodeStrings(model, version)));
    const config = fieldsOf(answer.get(1)?.[0] ?? Buffer.alloc(0));
    return { platform: textOf(config, 2), backend: textOf(config, 17) };
  }
}
