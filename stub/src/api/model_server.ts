// SPDX-License-Identifier: Apache-2.0
// Between the API and the runtime, which knows how to ask the server about its models.
import { TritonError } from "./errors.ts";

/** A file of a model that is to be loaded. */
export interface ModelFile {
  /** In the model's folder. */
  readonly path: string;
  readonly data: Uint8Array;
}

/** The server, as far as it is asked about its models. All arguments are checked. */
export interface ModelServer {
  /** @param version a number as text; "-1": as the server's policy says */
  isReady(name: string, version: string): Promise<boolean>;
  /**
   * @param config as JSON text; undefined: that of the repository
   * @param files copied at once
   */
  load(name: string, config: string | undefined, files: readonly ModelFile[]): Promise<void>;
  unload(name: string, dependents: boolean, wait: boolean): Promise<void>;
}

let current: ModelServer | undefined;

/** Sets the server of this process; undefined when there is none. */
export function setModelServer(server: ModelServer | undefined): void {
  current = server;
}

/** @throws TritonError UNAVAILABLE when no server is there */
export function theModelServer(): ModelServer {
  if (current !== undefined) return current;
  throw new TritonError(
    "The server can be asked about models from a model that is served, from its initialize on, and not from worker threads.",
    "UNAVAILABLE",
  );
}
