// SPDX-License-Identifier: Apache-2.0
// The command line of the benchmark.

import { Argument, Command, InvalidArgumentError, Option } from "commander";
import type { Part } from "./part.ts";
import { CONCURRENCIES, SIZES, SUBJECT_NAMES, type SubjectName } from "./subjects.ts";

export interface Options {
  /** Names of the parts to run. */
  parts: readonly string[];
  /** Labels of sizes. */
  only: readonly string[];
  concurrency: readonly number[];
  rounds: number;
  window: number;
  requests: number;
  backends: readonly SubjectName[];
  server?: string;
  port: number;
  quick: boolean;
  /** Nothing is measured: the page is written anew from the figures of the last run. */
  page: boolean;
  /** Everything is measured, and often enough to speak for the project. */
  complete: boolean;
}

const ROUNDS = 5;
const REQUESTS = 100_000;
/** Shorter windows are for looking. */
const LEAST_WINDOW_MS = 300;

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value <= 0) throw new InvalidArgumentError("Give a whole number above zero.");
  return value;
}

const port = (text: string) => {
  const value = positive(text);
  if (value > 65_533) throw new InvalidArgumentError("Give a port up to 65533: the two after it are used, too.");
  return value;
};

const positives = (text: string, before: unknown) => [...(Array.isArray(before) ? before : []), positive(text)];

function command(parts: readonly Pick<Part<unknown>, "name" | "about">[]): Command {
  const labels = SIZES.map((size) => size.label);
  const width = Math.max(...parts.map((part) => part.name.length));
  return new Command("bench")
    .usage("[parts...] [options]")
    .description("Compares the typescript backend with python_backend and a native floor, on a real server.")
    .addArgument(new Argument("[parts...]", "what to measure (default: all)").choices(parts.map((part) => part.name)))
    .addOption(
      new Option("--only <size...>", "tensor sizes of the identity cells").choices(labels).default(labels, "all"),
    )
    .option(
      "--concurrency <n...>",
      `concurrent requests of the identity cells (default: ${CONCURRENCIES.join(" ")})`,
      positives,
    )
    .option("--rounds <n>", "how often each cell is measured", positive, ROUNDS)
    .option("--window <ms>", "one of the three windows of a measurement", positive, 500)
    .option("--requests <n>", "requests of the flatness part", positive, REQUESTS)
    .addOption(
      new Option("--backends <name...>", "who takes part in identity, instance and flatness")
        .choices(SUBJECT_NAMES)
        .default([...SUBJECT_NAMES], "all"),
    )
    .addOption(
      new Option("--server <path>", "an installed Triton: its folder or its binary (default: the embedded one)").env(
        "TRITON_SERVER",
      ),
    )
    .option("--port <n>", "first of three ports (default: any free ones)", port)
    .option("--page", "measure nothing: write the page anew from the figures of the last run")
    .option("--quick", "one short round: shows that everything works")
    .addHelpText(
      "after",
      ["", "Parts:", ...parts.map((part) => `  ${part.name.padEnd(width)}  ${part.about}`)].join("\n"),
    );
}

type Given = Omit<Options, "parts" | "complete">;

/** Options that would do nothing, and so are mistakes: what they are for does not run. */
function refuseIdle(program: Command, partCount: number): void {
  const isGiven = (option: string) => program.getOptionValueSource(option) === "cli";
  const isWhole = program.args.length === 0 || new Set(program.args).size === partCount;
  const runs = (...names: string[]) => isWhole || names.some((name) => program.args.includes(name));
  if (isGiven("page") && program.args.length > 0) {
    program.error("error: --page measures nothing and so takes no parts: it shows all that the last run measured.");
  }
  for (const [option, ...names] of [
    ["only", "identity"],
    ["concurrency", "identity"],
    ["requests", "flatness"],
    ["backends", "identity", "instance", "flatness"],
  ] as const) {
    if (isGiven(option) && !runs(...names)) {
      program.error(`error: --${option} is for ${names.join(", ")}, and none of them is to run.`);
    }
  }
}

/** Reads the command line; ends the process where it is wrong or asks for help. */
export function parseOptions(
  parts: readonly Pick<Part<unknown>, "name" | "about">[],
  argv: readonly string[] = process.argv.slice(2),
): Options {
  const program = command(parts).parse(argv, { from: "user" });
  const given = program.opts<Partial<Given> & Omit<Given, "concurrency" | "port" | "quick" | "page">>();
  refuseIdle(program, parts.length);
  const named = program.args.length > 0 ? program.args : parts.map((part) => part.name);
  const quick = given.quick ?? false;
  const concurrency = given.concurrency ?? [...CONCURRENCIES];
  const complete =
    !quick &&
    parts.every((part) => named.includes(part.name)) &&
    SUBJECT_NAMES.every((name) => given.backends.includes(name)) &&
    SIZES.every((size) => given.only.includes(size.label)) &&
    CONCURRENCIES.every((n) => concurrency.includes(n)) &&
    given.rounds >= ROUNDS &&
    given.window >= LEAST_WINDOW_MS &&
    given.requests >= REQUESTS;
  return {
    ...given,
    parts: named,
    concurrency,
    backends: SUBJECT_NAMES.filter((name) => given.backends.includes(name)),
    port: given.port ?? 0,
    quick,
    page: given.page ?? false,
    complete,
    ...(quick ? { rounds: 1, window: 250, requests: 5000 } : {}),
  };
}
