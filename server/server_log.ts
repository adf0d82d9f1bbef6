// SPDX-License-Identifier: Apache-2.0
// Reads the server's log line by line: leaves out what says nothing on a machine without a GPU, and keeps the last
// errors for the case that the server ends too early.
import { closeSync, openSync, writeSync } from "node:fs";
import { parseLogLine, textIn } from "./log_line.ts";

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

const startsHelp = /^Usage: tritonserver/;
/** What the help consists of: options, what they mean, headings, empty lines. */
const ofHelp = /^(?:\s|$|[A-Z][\w/ ]*:$)/;

/** Finds the help, many screens long, that the server prints when it refuses an argument; its complaint stands around it. */
class HelpReader {
  #inHelp = false;

  /** Whether this line is one of the help. */
  take(line: string): boolean {
    this.#inHelp = startsHelp.test(line) || (this.#inHelp && ofHelp.test(line));
    return this.#inHelp;
  }
}

/** Decides line by line what is shown. A line that may announce a table waits for the next one. */
export class LogFilter {
  #held: string | undefined;
  #inTable = false;
  readonly #help = new HelpReader();

  /** Takes one line and gives the lines to show now. */
  take(line: string): string[] {
    if (this.#help.take(line)) return this.flush();
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
    // A log line without text of its own announces a table, which the summary shows better.
    if (parseLogLine(line)?.text === "") {
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
  #afterHelp = false;
  #complaints: string[] = [];
  readonly #help = new HelpReader();

  take(line: string): void {
    if (this.#help.take(line)) {
      // The sentence about a wrong argument has no mark of its own; it stands before the help, or behind it.
      if (startsHelp.test(line) && this.#before !== "") this.#complaints.push(this.#before);
      this.#afterHelp = true;
      return;
    }
    this.#before = line;
    if (this.#afterHelp && line !== "") this.#complaints.push(line);
    const telling =
      parseLogLine(line)?.level === "error" ||
      /^error:/i.test(line) ||
      /error while loading shared libraries/.test(line);
    if (!telling || harmless.some((pattern) => pattern.test(line))) return;
    this.#lines.push(line);
    if (this.#lines.length > kept) this.#lines.shift();
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** What the server says about an argument that it refuses; empty when it refuses none. */
  get complaints(): readonly string[] {
    return this.#complaints.map(plainText);
  }
}

/** The text of a line without what stands before it: time, process, source place, or the name of the program. */
export function plainText(line: string): string {
  return textIn(line)
    .replace(/^error: /i, "")
    .replace(/^\S*tritonserver: /, "");
}
