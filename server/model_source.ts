// SPDX-License-Identifier: Apache-2.0
import type { RepositoryIndexEntry } from "../client/http/index.ts";

/** Whom to ask about a server and its models: its HTTP or its gRPC endpoint. */
export interface ModelSource {
  serverMetadata(): Promise<{ version: string }>;
  /** Every model that the server has in its repositories, with the state of each version. */
  repositoryIndex(): Promise<RepositoryIndexEntry[]>;
  modelConfig(
    model: string,
    options?: { modelVersion?: string | undefined },
  ): Promise<{ backend: string; platform: string }>;
}
