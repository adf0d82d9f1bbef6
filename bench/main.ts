// SPDX-License-Identifier: Apache-2.0
// npm run bench: our backend beside python_backend and a native floor, on a real server, in one run.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ensureEmbeddedServer } from "../server/embedded_server.ts";
import { installedServer } from "../server/installed_server.ts";
import { packageRoot } from "../server/package_root.ts";
import { conditions } from "./conditions.ts";
import { takeTurn } from "./lock.ts";
import { type Options, parseOptions } from "./options.ts";
import type { Part, PartContext } from "./part.ts";
import { PARTS } from "./parts.ts";
import { page, resultOf, worst } from "./report.ts";
import { lastResults, type Reading, type Results, read, saveResults } from "./results.ts";
import { Server } from "./server.ts";
import { BENCH_DIR, setUp } from "./setup.ts";

type Say = (text: string) => void;

async function prepare(options: Options, say: Say): Promise<PartContext> {
  const triton = options.server ? installedServer(options.server) : await ensureEmbeddedServer(process.stdout);
  const bench = await setUp(triton, say);
  const { port } = options;
  return { ...options, bench, say, withServer: (use, more) => Server.lend(bench, { port, ...more }, use) };
}

/** The command as someone would type it again. */
const typed = () => ["npm run bench", ...process.argv.slice(2)].join(" ").replace("bench ", "bench -- ");

async function measure(parts: readonly Part<unknown>[], options: Options, say: Say): Promise<Results> {
  const context = await prepare(options, say);
  const { name, version } = await context.withServer((server) => server.client.serverMetadata());
  const triton = `${name} ${version}`;
  const { quick } = options;
  const taken = conditions(context, triton, typed());
  const results: Results = { conditions: taken, complete: false, quick, figures: {}, verdicts: [] };
  say(`${triton} works; its log is build/bench/tritonserver.log`);
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
  for (const [heading, body] of Object.entries(sections)) console.log(`\n${heading}\n${body}`);
  console.log();
  if (quick) console.log("This was a quick run: it shows that everything works, and its figures are not judged.");
  for (const entry of verdicts) {
    console.log(`${resultOf(entry, quick).toUpperCase().padEnd(10)}  ${entry.aim}; worst: ${worst(entry)}`);
  }
}

/** Only a run of everything may speak for the project; any other one stays below build/. */
function write(results: Results, reading: Reading): void {
  const file = saveResults(BENCH_DIR, results);
  const dir = results.complete ? path.join(packageRoot, "docs") : BENCH_DIR;
  const target = path.join(dir, "performance.md");
  const template = readFileSync(path.join(packageRoot, "docs", "performance.md"), "utf8");
  mkdirSync(path.join(dir, "images"), { recursive: true });
  for (const picture of reading.pictures) writeFileSync(path.join(dir, "images", picture.file), picture.svg);
  writeFileSync(target, page(template, results, reading));
  console.log(`\nWritten: build/bench/${file} and ${path.relative(packageRoot, target)}`);
}

async function main(): Promise<void> {
  const options = parseOptions(PARTS);
  const parts = PARTS.filter((part) => options.parts.includes(part.name));
  const began = Date.now();
  const say: Say = (text) => console.log(`[${((Date.now() - began) / 1000).toFixed(0).padStart(4)} s] ${text}`);

  if (!options.page) await takeTurn(() => say("waiting for another benchmark on this machine to end"));
  const results = options.page ? lastResults(BENCH_DIR) : await measure(parts, options, say);
  const reading = read(PARTS, results);
  print(results, reading);
  write({ ...results, verdicts: reading.verdicts }, reading);
}

process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));

main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
