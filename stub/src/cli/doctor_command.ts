// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import { examine, type Finding } from "./doctor.ts";
import { type Paint, painter } from "./terminal.ts";

/** The report: one line per finding, the fix below it. */
export function reportLines(findings: readonly Finding[], paint: Paint): string[] {
  const width = Math.max(...findings.map(({ what }) => what.length));
  const marks = { ok: paint("green", "ok     "), note: paint("yellow", "note   "), missing: paint("red", "missing") };
  return findings.flatMap(({ what, verdict, found, fix }) => [
    `${marks[verdict]}  ${what.padEnd(width)}  ${found}`,
    ...(fix === undefined ? [] : [`${" ".repeat(width + 11)}-> ${fix}`]),
  ]);
}

/** The command "triton-ts doctor". */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("say what this machine has and lacks, and how to mend it")
    .action(async () => {
      const findings = await examine();
      const lacking = findings.filter(({ verdict }) => verdict === "missing").length;
      const end =
        lacking === 0
          ? "Nothing needed is missing."
          : `${lacking} needed ${lacking === 1 ? "thing is" : "things are"} missing.`;
      process.stdout.write(`${[...reportLines(findings, painter(process.stdout)), "", end].join("\n")}\n`);
      process.exitCode = lacking === 0 ? 0 : 1;
    });
}
