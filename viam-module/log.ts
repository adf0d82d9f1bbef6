// SPDX-License-Identifier: Apache-2.0
// What the module says. It goes to the robot when that listens, and to the module's own output before.
import type { LogLevel } from "./attributes.ts";

export interface LogRecord {
  readonly level: LogLevel;
  /** Who says it: the module, a resource, a server. */
  readonly logger: string;
  readonly message: string;
  readonly time: Date;
}

export type LogSink = (record: LogRecord) => void;

const order: readonly LogLevel[] = ["debug", "info", "warning", "error"];

/** The least serious one of some levels: what is logged when any of them is asked for. Undefined for none. */
export function lowestLevel(levels: Iterable<LogLevel>): LogLevel | undefined {
  const asked = new Set(levels);
  return order.find((level) => asked.has(level));
}

/** A level as a robot's configuration or command line writes it; undefined for what is none. */
export function parseLevel(text: string): LogLevel | undefined {
  const level = text.toLowerCase().replace(/^warn$/, "warning");
  return order.find((known) => known === level);
}

/** Writes as programs do that nobody listens to: the robot takes standard output as INFO and standard error as ERROR. */
export const outputSink: LogSink = ({ level, logger, message }) => {
  const stream = level === "warning" || level === "error" ? process.stderr : process.stdout;
  for (const line of message.split("\n")) stream.write(`${level.toUpperCase()} ${logger}: ${line}\n`);
};

export class Log {
  readonly name: string;
  readonly #sink: LogSink;
  readonly #level: () => LogLevel;

  constructor(name: string, sink: LogSink, level: () => LogLevel) {
    this.name = name;
    this.#sink = sink;
    this.#level = level;
  }

  /** The least serious level that is written. */
  get level(): LogLevel {
    return this.#level();
  }

  /** A log of a part, which may have a level of its own. */
  of(name: string, level: () => LogLevel | undefined = () => undefined): Log {
    return new Log(name, this.#sink, () => level() ?? this.#level());
  }

  write(level: LogLevel, message: string): void {
    if (order.indexOf(level) < order.indexOf(this.level)) return;
    this.#sink({ level, logger: this.name, message, time: new Date() });
  }

  debug(message: string): void {
    this.write("debug", message);
  }

  info(message: string): void {
    this.write("info", message);
  }

  warning(message: string): void {
    this.write("warning", message);
  }

  error(message: string): void {
    this.write("error", message);
  }
}
