// SPDX-License-Identifier: Apache-2.0
// How servers are asked over HTTP from here: by Node's own requests in the place of `fetch`, which keeps connections open
// and writes the names of models in another way.
import http from "node:http";
import https from "node:https";
import type { Fetch } from "../client/http/index.ts";

/**
 * Whether an HTTP address can name this model. Triton takes the name as it stands there and decodes nothing, so that one
 * with a blank, a slash or a question mark cannot be written; gRPC takes every name.
 */
export const canBeAddressed = (model: string): boolean => /^[^\s/?\p{Cc}]+$/u.test(model);

/** Apart from the path, which a URL would write in another way. Node writes each character of `path` as one byte. */
function addressOf(url: string): { origin: URL; path: string } {
  const [, origin = "", path = ""] = /^([a-z]+:\/\/[^/]*)(.*)$/i.exec(url) ?? [];
  return { origin: new URL(origin), path: Buffer.from(path || "/", "utf8").toString("latin1") };
}

function responseOf(received: http.IncomingMessage, chunks: readonly Buffer[]): Response {
  const headers = new Headers();
  const { rawHeaders } = received;
  for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
  const body = Buffer.concat(chunks);
  return new Response(body.byteLength === 0 ? null : body, { status: received.statusCode ?? 500, headers });
}

/** Something listens, but hangs up on HTTP/1.1, as a gRPC port does. */
const isHangUp = (error: Error): boolean => (error as NodeJS.ErrnoException).code === "ECONNRESET";

function send(url: string, { method = "GET", headers, body, signal }: RequestInit): Promise<Response> {
  const { origin, path } = addressOf(url);
  const { request } = origin.protocol === "https:" ? https : http;
  const sent = body as string | Uint8Array | undefined;
  const length = sent === undefined ? {} : { "Content-Length": Buffer.byteLength(sent) };
  const all = { ...(headers as Readonly<Record<string, string>>), ...length, Connection: "close" };
  const options = { method, agent: false as const, path, headers: all, ...(signal ? { signal } : {}) };
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) =>
      reject(
        new TypeError("fetch failed", {
          cause: isHangUp(cause) ? new Error(`${cause.message}: it may not speak the HTTP/1.1 protocol`) : cause,
        }),
      );
    const question = request(origin, options, (received) => {
      const chunks: Buffer[] = [];
      received.on("data", (chunk: Buffer) => chunks.push(chunk));
      received.on("error", fail);
      received.on("end", () => {
        try {
          resolve(responseOf(received, chunks));
        } catch (error) {
          fail(error as Error);
        }
      });
    });
    question.on("error", fail);
    question.end(sent);
  });
}

/**
 * One question on a connection of its own: one that stays open makes a server wait for it when it stops. Answers come as a
 * whole. Names of models stand in the address as they are, in UTF-8.
 */
export const plainFetch: Fetch = Object.assign(send, { keepsInPath: canBeAddressed });

const patienceMs = 5000;

/** True when an HTTP endpoint answers, be it that this question is restricted; false on any failure. */
export async function isAnswering(url: string): Promise<boolean> {
  try {
    const { ok, status } = await plainFetch(`${url}/v2/health/live`, { signal: AbortSignal.timeout(patienceMs) });
    return ok || status === 401 || status === 403;
  } catch {
    return false;
  }
}
