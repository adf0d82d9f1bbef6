// SPDX-License-Identifier: Apache-2.0
// What a test file needs to drive the real server.
export { childrenOf } from "../../../server/processes.ts";
export * from "./gate.ts";
export * from "./http.ts";
export * from "./mappings.ts";
export * from "./mirror.ts";
export * from "./repository.ts";
export * from "./samples.ts";
export * from "./server.ts";
export * from "./tensors.ts";
export * from "./trace_collector.ts";
export * from "./triton_client.ts";
