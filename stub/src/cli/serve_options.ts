// SPDX-License-Identifier: Apache-2.0
import { defaultAddress, defaultPorts } from "./endpoints.ts";
import type { Server } from "./server.ts";

/** The options of "triton-ts serve", as the command line gives them. */
export interface ServeOptions {
  server?: string;
  backends: string[];
  backendDirectory: string[];
  verbose?: boolean;
  httpPort?: string;
  grpcPort?: string;
  metricsPort?: string;
  httpAddress?: string;
  grpcAddress?: string;
  metricsAddress?: string;
  modelControlMode?: string;
  repositoryPollSecs?: string;
  loadModel: string[];
  backendConfig: string[];
  cacheConfig: string[];
  rateLimit?: string;
  logVerbose?: string;
  exitTimeoutSecs?: string;
  strictReadiness?: string;
  exitOnError?: string;
}

interface ArgumentSources {
  repositories: readonly string[];
  options: ServeOptions;
  /** What stood behind "--". */
  extra: readonly string[];
  backendDirectory: string;
  server?: Server;
}

/** The arguments for tritonserver. What the user wrote behind "--" comes last, as it is. */
export function tritonArguments({ repositories, options, extra, backendDirectory, server }: ArgumentSources): string[] {
  const single: [string, string | undefined][] = [
    ["--backend-directory", backendDirectory || undefined],
    ["--cache-directory", server?.cacheDirectory],
    ["--repoagent-directory", server?.agentDirectory],
    ["--http-address", options.httpAddress ?? defaultAddress],
    ["--http-port", options.httpPort ?? String(defaultPorts.http)],
    ["--grpc-address", options.grpcAddress ?? defaultAddress],
    ["--grpc-port", options.grpcPort ?? String(defaultPorts.grpc)],
    ["--metrics-address", options.metricsAddress ?? defaultAddress],
    ["--metrics-port", options.metricsPort ?? String(defaultPorts.metrics)],
    ["--model-control-mode", options.modelControlMode],
    ["--repository-poll-secs", options.repositoryPollSecs],
    ["--rate-limit", options.rateLimit],
    ["--log-verbose", options.logVerbose],
    ["--exit-timeout-secs", options.exitTimeoutSecs],
    ["--strict-readiness", options.strictReadiness],
    // One model that fails to load must not take the others with it.
    ["--exit-on-error", options.exitOnError ?? "false"],
  ];
  const repeated: [string, readonly string[]][] = [
    ["--model-repository", repositories],
    ["--load-model", options.loadModel],
    ["--backend-config", options.backendConfig],
    ["--cache-config", options.cacheConfig],
  ];
  const given = new Set(extra.map((argument) => argument.split("=")[0]));
  return [
    ...repeated.flatMap(([name, values]) => values.map((value) => `${name}=${value}`)),
    ...single.flatMap(([name, value]) => (value === undefined || given.has(name) ? [] : [`${name}=${value}`])),
    ...extra,
  ];
}
