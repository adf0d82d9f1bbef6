// SPDX-License-Identifier: Apache-2.0
// Starts a tritonserver for the module: explicit control of models, one port of the loopback that nobody is told, and an end
// together with the module, whatever ends that.
import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { GrpcClient } from "../client/index.ts";
import { tritonArguments } from "../server/arguments.ts";
import { backendFolder } from "../server/backend_folder.ts";
import { ensureEmbeddedServer } from "../server/embedded_server.ts";
import type { Installation } from "../server/installation.ts";
import { installedServer } from "../server/installed_server.ts";
import { parseLogLine } from "../server/log_line.ts";
import { diesWithUs } from "../server/orphan_guard.ts";
import { checkBuilt } from "../server/package_root.ts";
import { freePorts } from "../server/ports.ts";
import { LogFilter, type LogTarget } from "../server/server_log.ts";
import { ServerProcess } from "../server/server_process.ts";
import { ModuleError } from "./errors.ts";
import type { Log } from "./log.ts";

/** What a server is started for. Resources of the same place share one. */
export interface ServerPlace {
  readonly repository: string;
  /** A folder of backends beside those that come with the module. */
  readonly backendDirectory: string | undefined;
}

export interface LaunchedServer {
  readonly process: ServerProcess;
  readonly client: GrpcClient;
}

/** As long as a server takes to unload before it is ended: the robot gives the module 3 s, then 7 more. */
const exitSeconds = 3;

let embedded: Promise<Installation> | undefined;

/** The embedded server; fetched once, also when the resource that it was fetched for is gone meanwhile. */
function embeddedServer(): Promise<Installation> {
  embedded ??= ensureEmbeddedServer(process.stdout).catch((error: unknown) => {
    embedded = undefined;
    throw error;
  });
  return embedded;
}

/** The server that belongs to a folder of backends, when that is the one of an installation. */
function besideBackends(backendDirectory: string | undefined): string | undefined {
  if (backendDirectory === undefined) return undefined;
  const prefix = path.dirname(path.resolve(backendDirectory));
  return existsSync(path.join(prefix, "bin", "tritonserver")) ? prefix : undefined;
}

function findServer({ backendDirectory }: ServerPlace): Promise<Installation> {
  const place = process.env["TRITON_SERVER"] || besideBackends(backendDirectory);
  return place ? Promise.resolve(installedServer(place)) : embeddedServer();
}

/** What the server and its models say, in the module's log. What it says of itself while all is well is for debugging. */
function logTarget(log: Log): LogTarget {
  const write = (line: string) => {
    const parsed = parseLogLine(line);
    const level = parsed?.level ?? "info";
    const text = parsed?.text ?? line;
    if (text.trim() === "") return;
    if (level === "error" || level === "warning") log.write(level, text);
    // Lines of models begin with the name of their instance in brackets.
    else if (/^\[[^\]]+\]/.test(text)) log.info(text);
    else log.debug(text);
  };
  return {
    place: "in the log of the module",
    open() {
      const filter = new LogFilter();
      return { line: (text) => filter.take(text).forEach(write), end: () => filter.flush().forEach(write) };
    },
  };
}

/** Starts a server, and gives it when it answers. */
export async function launchServer(
  place: ServerPlace,
  timeoutMs: number,
  log: Log,
  signal: AbortSignal,
): Promise<LaunchedServer> {
  checkBuilt();
  const started = Date.now();
  const installation = await findServer(place);
  const users = place.backendDirectory === undefined ? [] : [place.backendDirectory];
  const [port] = await freePorts(1);
  const args = tritonArguments({
    repositories: [place.repository],
    options: {
      grpcPort: String(port),
      modelControlMode: "explicit",
      exitTimeoutSecs: String(exitSeconds),
      strictReadiness: "false",
    },
    extra: ["--allow-http=false", "--allow-metrics=false"],
    backendDirectory: backendFolder(installation, users),
    installation,
  });
  if (!diesWithUs()) {
    log.warning("There is no setpriv (package util-linux) here: a server stays when this module is killed.");
  }
  const process = new ServerProcess({ installation, args, log: logTarget(log), orphanSignal: "KILL" });
  const kill = () => process.signal("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  await process.untilReady({ timeoutMs: Math.max(1, timeoutMs - (Date.now() - started)), pollMs: 20 }).finally(() => {
    signal.removeEventListener("abort", kill);
  });
  return { process, client: new GrpcClient({ url: `127.0.0.1:${port}` }) };
}

/** @throws ModuleError for a folder that is no repository */
export function checkRepository(repository: string): void {
  const found = statSync(repository, { throwIfNoEntry: false });
  if (found?.isDirectory()) return;
  const fault = found === undefined ? "does not exist" : "is no folder";
  throw new ModuleError(
    "NOT_FOUND",
    `The attribute "model_repository_path" names ${repository}, which ${fault}. It is the folder with one subfolder for each model.`,
  );
}

/** @throws ModuleError for a folder of backends that is not there */
export function checkBackends(backendDirectory: string | undefined): void {
  if (backendDirectory === undefined || existsSync(backendDirectory)) return;
  throw new ModuleError(
    "NOT_FOUND",
    `The attribute "backend_directory" names ${backendDirectory}, which does not exist. It is a folder with one subfolder for each backend; without the attribute there are those that come with the module.`,
  );
}
