// SPDX-License-Identifier: Apache-2.0
import { Console } from "node:console";
import { Writable } from "node:stream";
import { LOG_MARK } from "../ipc/connection.ts";
import { printable } from "./thrown.ts";

/** Levels of Triton's log. */
export type LogLevel = "I" | "W" | "E" | "V";

/** Writes text to the server's log, each line with its level. Output to a pipe is synchronous: a crash loses none. */
export function log(level: LogLevel, text: string): void {
  const prefix = LOG_MARK + level;
  const body = printable(text.endsWith("\n") ? text.slice(0, -1) : text);
  process.stdout.write(`${prefix}${body.replaceAll("\n", `\n${prefix}`)}\n`);
}

function consoleOf(level: LogLevel): Console {
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      log(level, chunk.toString());
      done();
    },
  });
  return new Console({ stdout: stream, stderr: stream });
}

/** Sends what the model prints with `console` to the server's log, with the level that the method stands for. */
export function routeConsole(): void {
  // A model that closes the streams loses its lines, not its requests.
  process.stdout.on("error", () => {});
  process.stderr.on("error", () => {});
  const info = consoleOf("I");
  const warn = consoleOf("W");
  const error = consoleOf("E");
  const verbose = consoleOf("V");
  Object.assign(globalThis.console, info, {
    warn: warn.warn,
    error: error.error,
    trace: error.trace,
    assert: error.assert,
    debug: verbose.debug,
  });
}
