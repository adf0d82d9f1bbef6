// SPDX-License-Identifier: Apache-2.0
import type { IndexEntry } from "./kserve.ts";

/** Whom to ask about a server and its models: its HTTP or its gRPC endpoint. */
export interface ModelSource {
  serverMetadata(): Promise<{ version: string }>;
  /** Every model that the server has in its repositories, with the state of each version. */
  repositoryIndex(): Promise<IndexEntry[]>;
  modelConfig(model: string, version?: string): Promise<{ backend: string; platform: string }>;
}
