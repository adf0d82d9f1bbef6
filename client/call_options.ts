// SPDX-License-Identifier: Apache-2.0

/** What every call of a client takes. */
export interface CallOptions {
  /** Gives the call up when it is aborted; the server is told. */
  signal?: AbortSignal | undefined;
  /** Gives the call up after so many milliseconds, and tells the server; the limit of the client, if it has one, when left out. */
  deadlineMs?: number | undefined;
  /** Sent with the call, beside those of the client: headers over HTTP, metadata over gRPC. */
  headers?: Readonly<Record<string, string>> | undefined;
}

/** What every client takes. */
export interface ClientOptions {
  /** How long each call may take, in milliseconds, unless it says so itself. Default: as long as it takes. */
  deadlineMs?: number | undefined;
  /** Sent with every call: headers over HTTP, metadata over gRPC. */
  headers?: Readonly<Record<string, string>> | undefined;
}

/** The options of a call with those of its client behind them. */
export function joined(client: ClientOptions, call: CallOptions): CallOptions {
  return {
    signal: call.signal,
    deadlineMs: call.deadlineMs ?? client.deadlineMs,
    headers: client.headers === undefined ? call.headers : { ...client.headers, ...call.headers },
  };
}
