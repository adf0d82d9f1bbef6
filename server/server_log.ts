// SPDX-License-Identifier: Apache-2.0
// Reads the server's log line by line: leaves out what says nothing on a machine without a GPU, and keeps the last
// errors for the case that the server ends too early.
import { closeSync, openSync, writeSync } from "node:fs";

/** Takes one stream of a server's log, line by line. */
export interface LineSink {
  line(text: string): void;
  end(): void;
}

/** Where the log of a server goes. */
export interface LogTarget {
  /** As it stands in messages: "Its log is ...". */
  place: string;
  /** Called for each of the two streams. */
  open(): LineSink;
}

/** A file that holds both streams, over what was in it. */
export function logFile(file: string): LogTarget {
  closeSync(openSync(file, "w"));
  return {
    place: file,
    open() {
      // Written at once: the last lines before an end are the ones that are asked for.
      const descriptor = openSync(file, "a");
      return { line: (text) => writeSync(descriptor, `${text}\n`), end: () => closeSync(descriptor) };
    },
  };
}

/** Lines that every start on a machine without a GPU shows and that ask nothing of anybody. */
const harmless: readonly RegExp[] = [
  /Unable to allocate pinned system memory/,
  /failed to allocate pinned system memory: no pinned memory pool/,
  /CUDA memory pool disabled/,
  /CudaDriverHelper has not been initialized/,
  /^Error: Failed to initialize NVML/,
  /DCGM unable to start/,
  /unable to create stream for .*: CUDA driver version is insufficient/,
  /^Signal \(\d+\) received\.$/,
];

/** A log line without text of its own announces a table, which the summary shows better. */
const announcesTable = /^[IWE]\d{4} \d\d:\d\d:[\d.]+ \d+ [\w.]+:\d+\] $/;

const startsUsage = /^Usage: tritonserver/;

export type Level = "info" | "warning" | "error" | "other";

export function levelOf(line: string): Level {
  const match = /^([IWEF])\d{4} \d\d:\d\d:/.exec(line);
  switch (match?.[1]) {
    case "I":
      return "info";
    case "W":
      return "warning";
    case "E":
    case "F":
      return "error";
    default:
      return "other";
  }
}

/** Decides line by line what is shown. A line that may announce a table waits for the next one. */
export class LogFilter {
  #held: string | undefined;
  #inTable = false;
  #inUsage = false;

  /** Takes one line and gives the lines to show now. */
  take(line: string): string[] {
    // A wrong argument makes the server print its whole help, many screens long, as the last thing it does.
    this.#inUsage ||= startsUsage.test(line);
    if (this.#inUsage) return [];
    if (this.#inTable) {
      if (/^[+|]/.test(line)) return [];
      this.#inTable = false;
      if (line === "") return [];
    }
    const before = this.flush();
    if (before.length > 0 && line.startsWith("+-")) {
      this.#inTable = true;
      return [];
    }
    if (announcesTable.test(line)) {
      this.#held = line;
      return before;
    }
    return harmless.some((pattern) => pattern.test(line)) ? before : [...before, line];
  }

  /** Gives a line that still waits. */
  flush(): string[] {
    const held = this.#held;
    this.#held = undefined;
    return held === undefined ? [] : [held];
  }
}

/** Splits a byte stream into lines; the rest without a line end comes with `end`. */
export class LineSplitter {
  #rest = "";
  #decoder = new TextDecoder();

  push(chunk: Uint8Array): string[] {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines;
  }

  end(): string[] {
    const rest = this.#rest;
    this.#rest = "";
    return rest === "" ? [] : [rest];
  }
}

const kept = 40;

/** The last lines that tell of errors, for a message when the server ends before it is ready. */
export class LastErrors {
  #lines: string[] = [];
  #before = "";

  take(line: string): void {
    // The sentence about a wrong argument has no mark of its own; it stands before the help.
    if (startsUsage.test(line) && this.#before !== "") this.#lines.push(this.#before);
    this.#before = line;
    const telling =
      levelOf(line) === "error" || /^error:/i.test(line) || /error while loading shared libraries/.test(line);
    if (!telling || harmless.some((pattern) => pattern.test(line))) return;
    this.#lines.push(line);
    if (this.#lines.length > kept) this.#lines.shift();
  }

  get lines(): readonly string[] {
    return this.#lines;
  }
}

/** The text of a log line without time, process and source place. */
export function textOf(line: string): string {
  const text = line.replace(/^[IWEF]\d{4} \d\d:\d\d:[\d.]+ \d+ [\w.]+:\d+\] /, "");
  return text
    .replace(/^"(.*)"$/, "$1")
    .replace(/^error: /i, "")
    .replace(/^\S*tritonserver: /, "");
}
