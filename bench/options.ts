// SPDX-License-Identifier: Apache-2.0
// The command line of the benchmark.

import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { SUBJECT_NAMES, SUBJECTS } from "./models.ts";
import { type Extent, type Part, SIZES } from "./part.ts";

export interface Options extends Extent {
  /** Names of the parts to run. */
  parts: readonly string[];
  server?: string;
  port: number;
  /** Nothing is measured: the page is written anew from the figures of the last run. */
  page: boolean;
  /** Everything is measured, and often enough to speak for the project. */
  complete: boolean;
}

const CONCURRENCIES: readonly number[] = [1, 8];
const ROUNDS = 5;
const REQUESTS = 100_000;
/** Shorter windows are for looking. */
const LEAST_WINDOW_MS = 300;
const QUICK = { rounds: 1, windowMs: 250, requests: 5000 };
const LABELS = SIZES.map(({ label }) => label);

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value <= 0) throw new InvalidArgumentError("Give a whole number above zero.");
  return value;
}

function port(text: string): number {
  if (positive(text) <= 65_533) return Number(text);
  throw new InvalidArgumentError("Give a port up to 65533: the two after it are used, too.");
}

const positives = (text: string, before: unknown) => [...(Array.isArray(before) ? before : []), positive(text)];

type Listed = Pick<Part<unknown>, "name" | "about">;

function command(parts: readonly Listed[]): Command {
  const names = parts.map(({ name }) => name);
  const width = Math.max(...names.map((name) => name.length));
  const only = new Option("--only <size...>", "tensor sizes of the identity cells").choices(LABELS);
  const backends = new Option("--backends <name...>", "who takes part in identity, instance and flatness");
  const server = "an installed Triton: its folder or its binary (default: the embedded one)";
  const concurrency = `concurrent requests of the identity cells (default: ${CONCURRENCIES.join(" ")})`;
  return new Command("bench")
    .usage("[parts...] [options]")
    .description("Compares the typescript backend with python_backend and a native floor, on a real server.")
    .addArgument(new Argument("[parts...]", "what to measure (default: all)").choices(names))
    .addOption(only.default(LABELS, "all"))
    .option("--concurrency <n...>", concurrency, positives)
    .option("--rounds <n>", "how often each cell is measured", positive, ROUNDS)
    .option("--window <ms>", "one of the three windows of a measurement", positive, 500)
    .option("--requests <n>", "requests of the flatness part", positive, REQUESTS)
    .addOption(backends.choices(SUBJECT_NAMES).default([...SUBJECT_NAMES], "all"))
    .addOption(new Option("--server <path>", server).env("TRITON_SERVER"))
    .option("--port <n>", "first of three ports (default: any free ones)", port)
    .option("--page", "measure nothing: write the page anew from the figures of the last run")
    .option("--quick", "one short round: shows that everything works")
    .addHelpText(
      "after",
      ["", "Parts:", ...parts.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`)].join("\n"),
    );
}

/** Options that would do nothing, and so are mistakes: what they are for does not run. */
function refuseIdle(program: Command, running: ReadonlySet<string>, isWhole: boolean): void {
  const isGiven = (option: string) => program.getOptionValueSource(option) === "cli";
  if (isGiven("page") && program.args.length > 0) {
    program.error("error: --page measures nothing and so takes no parts: it shows all that the last run measured.");
  }
  for (const [option, ...names] of [
    ["only", "identity"],
    ["concurrency", "identity"],
    ["requests", "flatness"],
    ["backends", "identity", "instance", "flatness"],
  ] as const) {
    if (!isWhole && isGiven(option) && !names.some((name) => running.has(name))) {
      program.error(`error: --${option} is for ${names.join(", ")}, and none of them is to run.`);
    }
  }
}

/** Reads the command line; ends the process where it is wrong or asks for help. */
export function parseOptions(all: readonly Listed[], argv: readonly string[] = process.argv.slice(2)): Options {
  const program = command(all).parse(argv, { from: "user" });
  const given = program.opts();
  const parts = new Set(program.args.length > 0 ? program.args : all.map(({ name }) => name));
  refuseIdle(program, parts, parts.size === all.length);
  const extent: Extent = {
    subjects: SUBJECTS.filter(({ name }) => given["backends"].includes(name)),
    sizes: SIZES.filter(({ label }) => given["only"].includes(label)),
    concurrencies: given["concurrency"] ?? CONCURRENCIES,
    rounds: given["rounds"],
    windowMs: given["window"],
    requests: given["requests"],
    quick: given["quick"] ?? false,
  };
  const { subjects, sizes, concurrencies, rounds, windowMs, requests, quick } = extent;
  const complete =
    !quick &&
    parts.size === all.length &&
    subjects.length === SUBJECTS.length &&
    sizes.length === SIZES.length &&
    CONCURRENCIES.every((n) => concurrencies.includes(n)) &&
    rounds >= ROUNDS &&
    windowMs >= LEAST_WINDOW_MS &&
    requests >= REQUESTS;
  const rest = {
    parts: [...parts],
    server: given["server"],
    port: given["port"] ?? 0,
    page: given["page"] ?? false,
    complete,
  };
  return { ...extent, ...(quick ? QUICK : {}), ...rest };
}
