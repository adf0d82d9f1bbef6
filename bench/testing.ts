// SPDX-License-Identifier: Apache-2.0
// For the tests of the benchmark: a server that is none, and samples of which one figure matters.

import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { HttpClient } from "../client/http/index.ts";
import { plainFetch } from "../server/plain_fetch.ts";
import type { LoadSample } from "./load.ts";

export interface Asked {
  url: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface Answer {
  status?: number;
  headers?: Record<string, number>;
  body: string | Buffer;
}

/** A fake server until the test is over; `answer` makes each answer. */
export async function fakeServer(answer: (asked: Asked) => Answer): Promise<HttpClient> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { url = "", headers } = request;
    const { status = 200, headers: more = {}, body } = answer({ url, headers, body: Buffer.concat(chunks) });
    response.writeHead(status, more).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return new HttpClient({ url: `127.0.0.1:${port}`, fetch: plainFetch });
}

const NOTHING: LoadSample = { throughput: 1, p50Us: 1, p99Us: 1, backendUs: 1, batchUs: 1, cpuUs: 1 };

/** One sample for each value of the figure `key`. */
export const rounds = (key: keyof LoadSample, ...values: number[]): LoadSample[] =>
  values.map((value) => ({ ...NOTHING, [key]: value }));
