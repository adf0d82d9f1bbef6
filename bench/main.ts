// SPDX-License-Identifier: Apache-2.0
// npm run bench: our backend beside python_backend and a native floor, on a real server, in one run.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ensureEmbeddedServer } from "../server/embedded_server.ts";
import { installedServer } from "../server/installed_server.ts";
import { conditions } from "./conditions.ts";
import { takeTurn } from "./lock.ts";
import { type Options, parseOptions } from "./options.ts";
import type { Part, PartContext } from "./part.ts";
import { PARTS } from "./parts.ts";
import { page, resultOf, worst } from "./report.ts";
import { type Reading, type Results, read } from "./results.ts";
import { lastResults, saveResults } from "./results_file.ts";
import { Server, type ServerOptions } from "./server.ts";
import { BENCH_DIR, ROOT, setUp, type Workbench } from "./setup.ts";
import { SIZES, SUBJECTS } from "./subjects.ts";

type Say = (text: string) => void;

/** The command as someone would type it again. */
function typed(): string {
  const args = process.argv.slice(2);
  return args.length === 0 ? "npm run bench" : `npm run bench -- ${args.join(" ")}`;
}

async function withServer<T>(
  bench: Workbench,
  options: ServerOptions,
  use: (server: Server) => Promise<T>,
): Promise<T> {
  const server = await Server.start(bench, options);
  try {
    return await use(server);
  } catch (error) {
    if (server.running) throw error;
    const ending = await server.stop();
    throw new Error(`tritonserver ended with ${ending} during the run; see build/bench/tritonserver.log.`, {
      cause: error,
    });
  } finally {
    await server.stop();
  }
}

async function measure(parts: readonly Part<unknown>[], options: Options, say: Say): Promise<Results> {
  const subjects = options.backends.map((name) => SUBJECTS[name]);
  const triton = options.server ? installedServer(options.server) : await ensureEmbeddedServer(process.stdout);
  const packages = parts.flatMap((part) => part.pythonPackages ?? []);
  const bench = await setUp(triton, subjects, packages, say);
  const context: PartContext = {
    bench,
    subjects,
    sizes: SIZES.filter((size) => options.only.includes(size.label)),
    concurrencies: options.concurrency,
    rounds: options.rounds,
    windowMs: options.window,
    requests: options.requests,
    quick: options.quick,
    say,
    withServer: (use, more) => withServer(bench, { port: options.port, ...more }, use),
  };
  const results: Results = {
    conditions: await context.withServer((server) => conditions(bench, server, typed())),
    rounds: options.rounds,
    windowMs: options.window,
    complete: false,
    quick: options.quick,
    figures: {},
    verdicts: [],
  };
  say(`${results.conditions.triton} works; its log is build/bench/tritonserver.log`);
  for (const part of parts) {
    say(`${part.name}: ${part.about}`);
    const began = performance.now();
    results.figures[part.name] = await part.measure(context).catch((error: unknown) => {
      const kept = Object.keys(results.figures).join(", ");
      const rest = kept === "" ? "" : ` What was measured before (${kept}) is kept: --page shows it.`;
      throw new Error(`${part.name}: ${error instanceof Error ? error.message : String(error)}${rest}`, {
        cause: error,
      });
    });
    saveResults(BENCH_DIR, results); // half an hour is too much to lose
    say(`${part.name} took ${((performance.now() - began) / 1000).toFixed(0)} s`);
  }
  return { ...results, complete: options.complete };
}

function print({ quick }: Results, { sections, verdicts }: Reading): void {
  for (const { heading, body } of sections) console.log(`\n${heading}\n${body}`);
  console.log();
  if (quick) console.log("This was a quick run: it shows that everything works, and its figures are not judged.");
  for (const entry of verdicts) {
    console.log(`${resultOf(entry, quick).toUpperCase().padEnd(10)}  ${entry.aim}; worst: ${worst(entry)}`);
  }
}

/** What people have to say about the figures of a complete run: the budget of a request, what was tried, why an aim is missed. */
function notes(): string {
  const file = path.join(ROOT, "bench", "notes.md");
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** Only a run of everything may speak for the project; any other one stays below build/. */
function write(results: Results, reading: Reading): void {
  const file = saveResults(BENCH_DIR, results);
  const dir = results.complete ? path.join(ROOT, "docs") : BENCH_DIR;
  const target = path.join(dir, "performance.md");
  mkdirSync(path.join(dir, "images"), { recursive: true });
  for (const picture of reading.pictures) writeFileSync(path.join(dir, "images", picture.file), picture.svg);
  writeFileSync(target, page(results, reading, results.complete ? notes() : ""));
  console.log(`\nWritten: build/bench/${file} and ${path.relative(ROOT, target)}`);
}

async function main(): Promise<void> {
  const options = parseOptions(PARTS);
  const parts = PARTS.filter((part) => options.parts.includes(part.name));
  const began = Date.now();
  const say: Say = (text) => console.log(`[${((Date.now() - began) / 1000).toFixed(0).padStart(4)} s] ${text}`);

  if (!options.page) await takeTurn(() => say("waiting for another benchmark on this machine to end"));
  const results = options.page ? lastResults(BENCH_DIR) : await measure(parts, options, say);
  const reading = read(PARTS, results.figures, results.complete);
  results.verdicts = reading.verdicts;
  print(results, reading);
  write(results, reading);
}

process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));

main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
