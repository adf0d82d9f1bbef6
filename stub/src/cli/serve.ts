// SPDX-License-Identifier: Apache-2.0
import { accessSync, constants, existsSync, statSync } from "node:fs";
import path from "node:path";
import { lastValue, repositoriesOf, startupModels } from "../../../server/argument_values.ts";
import { type ServerOptions, tritonArguments } from "../../../server/arguments.ts";
import { backendFolder } from "../../../server/backend_folder.ts";
import { ensureEmbeddedServer } from "../../../server/embedded_server.ts";
import { checkEndpoints, endpointsOf } from "../../../server/endpoints.ts";
import type { Installation } from "../../../server/installation.ts";
import { installedServer } from "../../../server/installed_server.ts";
import { checkBuilt, packageRoot } from "../../../server/package_root.ts";
import { ServerProcess } from "../../../server/server_process.ts";
import { CliError } from "./error.ts";
import { logView } from "./log_view.ts";
import { firstAnswer, servedModels } from "./model_lines.ts";
import { summaryLines } from "./summary.ts";
import { painter } from "./terminal.ts";

/** The options of "triton-ts serve": those of tritonserver and our own. */
export interface ServeOptions extends ServerOptions {
  server?: string;
  backends: string[];
  backendDirectory: string[];
  verbose?: boolean;
}

/** The repositories to serve: those named, else ./model_repository, else the package's own. */
export function chooseRepositories(named: readonly string[], cwd = process.cwd()): string[] {
  const here = path.join(cwd, "model_repository");
  const chosen = named.length > 0 ? named : [existsSync(here) ? here : path.join(packageRoot, "model_repository")];
  return chosen.map((repository) => {
    const full = path.resolve(cwd, repository);
    if (!existsSync(full)) {
      throw new CliError(`The model repository ${full} does not exist. Give a folder with one subfolder per model.`);
    }
    if (!statSync(full).isDirectory()) {
      throw new CliError(`The model repository ${full} is a file. Give a folder with one subfolder per model.`);
    }
    try {
      accessSync(full, constants.R_OK | constants.X_OK);
    } catch {
      throw new CliError(`This user may not read the model repository ${full}. Give it the rights to (chmod a+rx).`);
    }
    if (existsSync(path.join(full, "config.pbtxt"))) {
      throw new CliError(`${full} is a model, not a repository. Give the folder around it: ${path.dirname(full)}`);
    }
    return full;
  });
}

async function printSummary(
  { kind, binary }: Installation,
  { modelSources: sources, endpoints, loadFailures: failures }: ServerProcess,
  args: readonly string[],
): Promise<void> {
  const metadata = await firstAnswer(sources, (source) => source.serverMetadata());
  const server = `Triton${metadata ? ` ${metadata.version}` : ""} (${kind === "embedded" ? "embedded" : binary})`;
  const repositories = repositoriesOf(args);
  const models = await servedModels({ sources, failures, repositories, startup: startupModels(args) });
  process.stdout.write(summaryLines(server, models, repositories, endpoints, painter(process.stdout)).join("\n"));
}

/** npm hands a Ctrl-C on that the terminal has sent us too: two within this time are one. */
const sameSignalMs = 700;

const parentCheckMs = 500;

/**
 * Calls back when the process that npx runs this command in is gone: npx and its shell end by a signal and hand it on to
 * nobody. Others that end, such as a terminal that a server was started in the background from, mean nothing.
 */
function watchNpx(onEnd: () => void): () => void {
  if (process.env["npm_command"] !== "exec") return () => undefined;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onEnd();
  }, parentCheckMs);
  return () => clearInterval(timer);
}

/** Stops the server in order at the first signal, at once at the second. Gives whether a stop was asked for. */
function superviseSignals(server: ServerProcess): { asked: () => boolean; forced: () => boolean; release: () => void } {
  let firstAt: number | undefined;
  let forced = false;
  const onSignal = () => {
    const now = Date.now();
    if (firstAt === undefined) {
      firstAt = now;
      process.stderr.write("Stopping; once more ends the server at once ...\n");
      server.terminate();
    } else if (now - firstAt > sameSignalMs) {
      forced = true;
      server.signal("SIGKILL");
    }
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return {
    asked: () => firstAt !== undefined,
    forced: () => forced,
    release: () => {
      for (const signal of signals) process.removeListener(signal, onSignal);
    },
  };
}

/** Starts a server and stays with it until it ends; gives the exit code. */
async function runServer(installation: Installation, args: readonly string[], options: ServeOptions): Promise<number> {
  await checkEndpoints(endpointsOf(args));
  const asksForHelp = args.includes("--help"); // tritonserver's own, which is left out of the log in general
  const verbose = options.verbose === true || Number(options.logVerbose ?? 0) > 0 || asksForHelp;
  const server = new ServerProcess({ installation, args, log: logView(process.stderr, verbose) });
  const signals = superviseSignals(server);
  try {
    await server.untilReady().catch((error: unknown) => {
      if (!signals.asked()) throw error;
    });
    if (!signals.asked()) await printSummary(installation, server, args);
    const end = await server.ended;
    if (signals.forced()) return 130;
    if (signals.asked()) return end.code ?? 1;
    const how = end.signal ?? `code ${end.code}`;
    throw new CliError(`The Triton server ended by itself (${how}). Its log is ${server.logPlace}.`);
  } finally {
    signals.release();
    if (server.running) server.signal("SIGKILL");
  }
}

/** tritonserver takes some options without a word, and without an effect. */
function checkCombination(args: readonly string[]): void {
  const every = lastValue(args, "--repository-poll-secs");
  if (every === undefined || lastValue(args, "--model-control-mode") === "poll") return;
  throw new CliError("--repository-poll-secs has no effect without --model-control-mode poll. Add it.");
}

/** triton-ts serve: serves repositories until it is stopped. Gives the exit code. */
export async function serve(
  named: readonly string[],
  options: ServeOptions,
  extra: readonly string[],
): Promise<number> {
  // From here on, as a server is perhaps fetched first, which takes a minute: a signal ends each part in its own way.
  const unwatch = watchNpx(() => process.kill(process.pid, "SIGTERM"));
  try {
    return await serveRepositories(named, options, extra);
  } finally {
    unwatch();
  }
}

async function serveRepositories(
  named: readonly string[],
  options: ServeOptions,
  extra: readonly string[],
): Promise<number> {
  const repositories = chooseRepositories(named);
  checkBuilt();
  const place = options.server ?? process.env["TRITON_SERVER"];
  const installed = place ? installedServer(place) : undefined;
  // Before anything is fetched: an option that is wrong, or a port that is taken.
  const wanted = tritonArguments({ repositories, options, extra });
  checkCombination(wanted);
  await checkEndpoints(endpointsOf(wanted));
  const installation = installed ?? (await ensureEmbeddedServer(process.stderr));
  const backendDirectory = backendFolder(installation, [...options.backendDirectory, ...options.backends]);
  const args = tritonArguments({ repositories, options, extra, backendDirectory, installation });
  return runServer(installation, args, options);
}
