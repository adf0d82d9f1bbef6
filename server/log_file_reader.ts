// SPDX-License-Identifier: Apache-2.0
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { LineSplitter } from "./server_log.ts";

/** What a server writes into a log file of its own (--log-file) from now on. */
export class LogFileReader {
  readonly #file: string;
  readonly #splitter = new LineSplitter();
  #at: number;

  constructor(file: string) {
    this.#file = file;
    this.#at = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** The whole lines that came since the last call; none while there is no such file, or it cannot be read. */
  read(): string[] {
    let descriptor: number | undefined;
    try {
      descriptor = openSync(this.#file, "r");
      const { size } = fstatSync(descriptor);
      if (size < this.#at) this.#at = 0; // it was begun anew
      const bytes = new Uint8Array(size - this.#at);
      const count = readSync(descriptor, bytes, 0, bytes.length, this.#at);
      this.#at += count;
      return this.#splitter.push(bytes.subarray(0, count));
    } catch {
      return [];
    } finally {
      if (descriptor !== undefined) closeSync(descriptor);
    }
  }
}
