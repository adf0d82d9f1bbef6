// SPDX-License-Identifier: Apache-2.0
// Requests to the server under test.

/** The part of a server that these need. */
export interface HttpServer {
  readonly httpUrl: string;
}

interface RequestOptions extends RequestInit {
  headers?: Record<string, string>;
}

/**
 * `fetch` without a connection that is kept: a server that ends waits for its clients to close theirs, which would take
 * four seconds for each of the many servers of a run.
 */
export function request(server: HttpServer, path: string, init: RequestOptions = {}): Promise<Response> {
  return fetch(`${server.httpUrl}${path}`, { ...init, headers: { ...init.headers, connection: "close" } });
}
