// SPDX-License-Identifier: Apache-2.0
// Asks a server that has HTTP switched off, or restricted, for its models.
import type { GrpcClient } from "../client/grpc/grpc_client.ts";
import type { RepositoryIndexEntry } from "../client/http/index.ts";
import type { ModelSource } from "./model_source.ts";

const patienceMs = 5000;

/** One server, by host and port of its gRPC endpoint. Rejects with the client's errors. */
export class GrpcSource implements ModelSource {
  readonly address: string;

  constructor(address: string) {
    this.address = address;
  }

  serverMetadata(): Promise<{ version: string }> {
    return this.#ask((client) => client.serverMetadata());
  }

  repositoryIndex(): Promise<RepositoryIndexEntry[]> {
    return this.#ask((client) => client.repositoryIndex());
  }

  modelConfig(
    model: string,
    options: { modelVersion?: string | undefined } = {},
  ): Promise<{ backend: string; platform: string }> {
    return this.#ask((client) => client.modelConfig(model, options));
  }

  /** One question on a connection of its own, so that none is open when the server stops. */
  async #ask<T>(ask: (client: GrpcClient) => Promise<T>): Promise<T> {
    // Loaded when it is needed, which is seldom: gRPC is many files.
    const { GrpcClient } = await import("../client/grpc/grpc_client.ts");
    const client = new GrpcClient({ url: this.address, deadlineMs: patienceMs });
    try {
      return await ask(client);
    } finally {
      client.close();
    }
  }
}
