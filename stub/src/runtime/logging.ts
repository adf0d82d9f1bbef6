// SPDX-License-Identifier: Apache-2.0
import { Console } from "node:console";
import { Writable } from "node:stream";
import { format } from "node:util";
import { LOG_MARK } from "../ipc/connection.ts";
import type { LogLevel } from "../ipc/log_levels.ts";
import { printable } from "./thrown.ts";

export type { LogLevel } from "../ipc/log_levels.ts";

/** Which lines the server's log takes. Until there is a server to say so: all. */
let levels: { has(level: LogLevel): boolean } = { has: () => true };

/** From now on lines that the server's log does not take are left out. */
export function followLevels(ofServer: typeof levels): void {
  levels = ofServer;
}

/** Asks the server which lines its log takes: it looks whenever something is printed, and logs no empty line. */
export function askForLevels(): void {
  process.stdout.write(`${LOG_MARK}V\n`);
}

/** Writes text to the server's log, each line with its level. Output to a pipe is synchronous: a crash loses none. */
export function log(level: LogLevel, text: string): void {
  if (!levels.has(level)) return;
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

/** A method of `console` that does not even look at what it is given while nobody reads its lines. */
function unlessOff<A extends unknown[]>(level: LogLevel, method: (...values: A) => void): (...values: A) => void {
  return (...values) => {
    if (levels.has(level)) method(...values);
  };
}

/** Sends what the model prints with `console` to the server's log, with the level that the method stands for. */
export function routeConsole(): void {
  // A model that closes the streams loses its lines, not its requests.
  process.stdout.on("error", () => {});
  process.stderr.on("error", () => {});
  const info = consoleOf("I");
  const error = consoleOf("E");
  function trace(...values: unknown[]): void {
    if (!levels.has("E")) return;
    const at = { name: "Trace", message: format(...values), stack: "" };
    Error.captureStackTrace(at, trace);
    error.error(at.stack);
  }
  const group = (...label: unknown[]) => (levels.has("I") ? info.group(...label) : info.group());
  Object.assign(globalThis.console, info, {
    log: unlessOff("I", info.log),
    info: unlessOff("I", info.info),
    dir: unlessOff("I", info.dir),
    dirxml: unlessOff("I", info.dirxml),
    table: unlessOff("I", info.table),
    timeLog: unlessOff("I", info.timeLog),
    // What follows is indented, whether there is a head or not.
    group,
    groupCollapsed: group,
    warn: unlessOff("W", consoleOf("W").warn),
    error: unlessOff("E", error.error),
    trace,
    assert(condition?: boolean, ...values: unknown[]) {
      if (!condition && levels.has("E")) error.assert(false, ...values);
    },
    debug: unlessOff("V", consoleOf("V").debug),
  });
}
