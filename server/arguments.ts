// SPDX-License-Identifier: Apache-2.0
import { defaultAddress, defaultPorts } from "./endpoints.ts";
import type { Installation } from "./installation.ts";

/** Arguments of tritonserver by its own names, as text. */
export interface ServerOptions {
  httpPort?: string;
  grpcPort?: string;
  metricsPort?: string;
  httpAddress?: string;
  grpcAddress?: string;
  metricsAddress?: string;
  modelControlMode?: string;
  repositoryPollSecs?: string;
  loadModel?: readonly string[];
  backendConfig?: readonly string[];
  cacheConfig?: readonly string[];
  rateLimit?: string;
  logVerbose?: string;
  exitTimeoutSecs?: string;
  strictReadiness?: string;
  exitOnError?: string;
}

interface ArgumentSources {
  repositories: readonly string[];
  options: ServerOptions;
  /** Arguments as they are: they come last and win. */
  extra: readonly string[];
  backendDirectory?: string;
  installation?: Installation;
}

/** The arguments for tritonserver. */
export function tritonArguments(sources: ArgumentSources): string[] {
  const { repositories, options, extra, backendDirectory, installation } = sources;
  const single: [string, string | undefined][] = [
    ["--backend-directory", backendDirectory],
    ["--cache-directory", installation?.cacheDirectory],
    ["--repoagent-directory", installation?.agentDirectory],
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
  const repeated: [string, readonly string[] | undefined][] = [
    ["--model-repository", repositories],
    ["--load-model", options.loadModel],
    ["--backend-config", options.backendConfig],
    ["--cache-config", options.cacheConfig],
  ];
  const given = new Set(extra.map((argument) => argument.split("=")[0]));
  return [
    ...repeated.flatMap(([name, values = []]) => values.map((value) => `${name}=${value}`)),
    ...single.flatMap(([name, value]) => (value === undefined || given.has(name) ? [] : [`${name}=${value}`])),
    ...extra,
  ];
}
