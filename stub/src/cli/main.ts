// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import { ClientError } from "../../../client/http/index.ts";
import { messageOf, ServerError } from "../../../server/error.ts";
import { packageVersion } from "../../../server/package_root.ts";
import { doctorCommand } from "./doctor_command.ts";
import { CliError, sentenceOf } from "./error.ts";
import { inferCommand } from "./infer_command.ts";
import { serveCommand } from "./serve_command.ts";
import { painter } from "./terminal.ts";

/** Everything behind "--" belongs to tritonserver; commander would take it for more repositories. */
function splitArguments(argv: readonly string[]): { own: string[]; extra: string[] } {
  const at = argv.indexOf("--");
  return at < 0 ? { own: [...argv], extra: [] } : { own: argv.slice(0, at), extra: argv.slice(at + 1) };
}

function program(extra: readonly string[]): Command {
  return new Command("triton-ts")
    .description("Serves models written in TypeScript from NVIDIA Triton Inference Server.")
    .version(packageVersion, "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .showHelpAfterError('("triton-ts --help" shows what there is)')
    .addCommand(serveCommand(extra))
    .addCommand(inferCommand())
    .addCommand(doctorCommand())
    .addHelpText(
      "after",
      `
Examples:
  $ triton-ts serve                                   serve ./model_repository on ports 8000, 8001, 8002
  $ triton-ts infer ocr --image photo.png             read the text in a picture
  $ triton-ts doctor                                  say what this machine lacks`,
    );
}

function report(error: unknown): void {
  const paint = painter(process.stderr);
  if (error instanceof CliError || error instanceof ServerError || error instanceof ClientError) {
    process.stderr.write(`${paint("red", "error:")} ${sentenceOf(error)}\n`);
  } else {
    process.stderr.write(`${paint("red", "unexpected error:")} ${messageOf(error)}\n`);
    if (error instanceof Error && error.stack) process.stderr.write(`${error.stack}\n`);
  }
}

const { own, extra } = splitArguments(process.argv.slice(2));
try {
  if (extra.length > 0 && own[0] !== "serve") {
    throw new CliError(`Only "triton-ts serve" takes arguments behind "--", they go to tritonserver.`);
  }
  await program(extra).parseAsync(own, { from: "user" });
} catch (error) {
  report(error);
  process.exitCode = error instanceof ServerError && error.code === "INTERRUPTED" ? 130 : 1;
}
