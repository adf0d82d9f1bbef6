// SPDX-License-Identifier: Apache-2.0
// npm run bench: our backend beside python_backend and a native floor, on a real server, in one run.

import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { ensureEmbeddedServer } from "../stub/src/cli/embedded_server.ts";
import { installedServer } from "../stub/src/cli/installed_server.ts";
import { chart } from "./chart.ts";
import { conditions } from "./conditions.ts";
import { runIdentity } from "./identity.ts";
import { runFlatness, runInstance } from "./instance.ts";
import { takeTurn } from "./lock.ts";
import { backendTimeTable, flatnessTable, instanceTable, page, throughputTable } from "./report.ts";
import { type Results, verdicts } from "./results.ts";
import { Server } from "./server.ts";
import { BENCH_DIR, ROOT, setUp, type Workbench } from "./setup.ts";
import { CONCURRENCIES, SIZES, SUBJECT_NAMES, SUBJECTS, type Subject, type SubjectName } from "./subjects.ts";

const PARTS = ["identity", "instance", "flatness"] as const;
type Part = (typeof PARTS)[number];

interface Options {
  only: string[];
  concurrency: number[];
  rounds: number;
  window: number;
  requests: number;
  backends: SubjectName[];
  server?: string;
  port: number;
  quick?: boolean;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value <= 0) throw new InvalidArgumentError("Give a whole number above zero.");
  return value;
}

const positives = (text: string, before: unknown) => [...(Array.isArray(before) ? before : []), positive(text)];

function command(): Command {
  const labels = SIZES.map((size) => size.label);
  return new Command("bench")
    .description("Compares the typescript backend with python_backend and a native floor, on a real server.")
    .addArgument(new Argument("[parts...]", "what to measure (default: all)").choices(PARTS))
    .addOption(
      new Option("--only <size...>", "tensor sizes of the identity cells").choices(labels).default(labels, "all"),
    )
    .option(
      "--concurrency <n...>",
      `concurrent requests of the identity cells (default: ${CONCURRENCIES.join(" ")})`,
      positives,
    )
    .option("--rounds <n>", "how often each cell is measured", positive, 3)
    .option("--window <ms>", "one of the three windows of a measurement", positive, 1000)
    .option("--requests <n>", "requests of the flatness part", positive, 100_000)
    .addOption(
      new Option("--backends <name...>", "who takes part").choices(SUBJECT_NAMES).default([...SUBJECT_NAMES], "all"),
    )
    .addOption(
      new Option("--server <path>", "an installed Triton: its folder or its binary (default: the embedded one)").env(
        "TRITON_SERVER",
      ),
    )
    .option("--port <n>", "first of three ports (default: any free ones)", positive)
    .option("--quick", "one short round: shows that everything works, in under three minutes");
}

/** The command as someone would type it again. */
function typed(): string {
  const args = process.argv.slice(2);
  return args.length === 0 ? "npm run bench" : `npm run bench -- ${args.join(" ")}`;
}

type Say = (text: string) => void;

async function withServer<T>(bench: Workbench, options: Options, use: (server: Server) => Promise<T>): Promise<T> {
  const server = await Server.start(bench, options.port);
  try {
    return await use(server);
  } catch (error) {
    const ending = server.ending();
    if (ending === undefined) throw error;
    throw new Error(`tritonserver ended with ${ending} during the run; see build/bench/tritonserver.log.`, {
      cause: error,
    });
  } finally {
    await server.stop();
  }
}

async function measure(parts: readonly Part[], options: Options, say: Say): Promise<Results> {
  const subjects = SUBJECT_NAMES.filter((name) => options.backends.includes(name)).map((name) => SUBJECTS[name]);
  const triton = options.server ? installedServer(options.server) : await ensureEmbeddedServer(process.stdout);
  const bench = await setUp(triton, subjects, say);
  const results: Results = {
    conditions: await withServer(bench, options, (server) => conditions(bench, server, typed())),
    rounds: options.rounds,
    windowMs: options.window,
    subjects: subjects.map((subject) => subject.name),
  };
  say(`${results.conditions.triton} works; its log is build/bench/tritonserver.log`);
  /** One server for each backend, so that none inherits another's memory or threads. */
  const alone = async <T>(use: (server: Server, subject: Subject) => Promise<T>): Promise<T[]> => {
    const all: T[] = [];
    for (const subject of subjects) all.push(await withServer(bench, options, (server) => use(server, subject)));
    return all;
  };
  if (parts.includes("instance")) {
    const loads = options.quick ? 1 : 5;
    results.instance = await alone((server, subject) => runInstance(server, subject, loads, say));
  }
  if (parts.includes("identity")) {
    const sizes = SIZES.filter((size) => options.only.includes(size.label));
    const cells = { sizes, concurrencies: options.concurrency, rounds: options.rounds, windowMs: options.window };
    results.identity = await withServer(bench, options, (server) => runIdentity(bench, server, subjects, cells, say));
  }
  if (parts.includes("flatness")) {
    results.flatness = await alone((server, subject) => runFlatness(bench, server, subject, options.requests, say));
  }
  return results;
}

function print(results: Results): void {
  if (results.identity) {
    console.log(`\nBackend time, us per request\n${backendTimeTable(results)}`);
    console.log(`\nThroughput, requests per second\n${throughputTable(results)}`);
  }
  if (results.instance) console.log(`\nAn instance\n${instanceTable(results)}`);
  if (results.flatness) console.log(`\nMemory over many requests\n${flatnessTable(results)}`);
  console.log();
  for (const entry of verdicts(results)) {
    console.log(`${entry.met ? "met   " : "MISSED"}  ${entry.aim}; worst: ${entry.worst}`);
  }
}

/** Only a run of everything may speak for the project; any other one stays below build/. */
function write(results: Results, complete: boolean): void {
  mkdirSync(BENCH_DIR, { recursive: true });
  writeFileSync(path.join(BENCH_DIR, "results.json"), `${JSON.stringify(results, null, 2)}\n`);
  const dir = complete ? path.join(ROOT, "docs") : BENCH_DIR;
  const target = path.join(dir, "performance.md");
  const picture = chart(results);
  mkdirSync(path.join(dir, "images"), { recursive: true });
  if (picture) writeFileSync(path.join(dir, "images", "performance.svg"), picture);
  writeFileSync(target, page(results, picture && "images/performance.svg"));
  console.log(`\nWritten: build/bench/results.json and ${path.relative(ROOT, target)}`);
}

async function main(): Promise<void> {
  const program = command().parse();
  const given = program.opts<Options>();
  const named = program.args as Part[];
  const parts = named.length > 0 ? named : [...PARTS];
  const options: Options = { ...given, concurrency: given.concurrency ?? [...CONCURRENCIES], port: given.port ?? 0 };
  if (options.quick) Object.assign(options, { rounds: 1, window: 250, requests: 5000 });
  const began = Date.now();
  const say: Say = (text) => console.log(`[${((Date.now() - began) / 1000).toFixed(0).padStart(4)} s] ${text}`);

  await takeTurn(() => say("waiting for another benchmark on this machine to end"));
  const results = await measure(parts, options, say);
  print(results);
  const complete =
    !options.quick &&
    PARTS.every((part) => parts.includes(part)) &&
    SUBJECT_NAMES.every((name) => options.backends.includes(name)) &&
    SIZES.every((size) => options.only.includes(size.label)) &&
    CONCURRENCIES.every((n) => options.concurrency.includes(n)) &&
    options.rounds >= 3;
  write(results, complete);
}

process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));

main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
