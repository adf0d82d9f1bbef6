// SPDX-License-Identifier: Apache-2.0
import * as L from "../protocol/layout.gen.ts";

/** Levels of Triton's log. */
export type LogLevel = "I" | "W" | "E" | "V";

const BITS: Readonly<Record<LogLevel, number>> = {
  I: L.LOG_LEVEL_INFO,
  W: L.LOG_LEVEL_WARN,
  E: L.LOG_LEVEL_ERROR,
  V: L.LOG_LEVEL_VERBOSE,
};

/** The server is not asked more often than this. */
const ASK_EVERY_MS = 1000;

/**
 * Which lines the server's log takes, which may change at any time. The server renews the word with each batch and while it
 * has requests here, and otherwise when it is asked: by who has left a line out, as nobody else needs to know.
 */
export class LogLevels {
  readonly #word: Uint32Array;
  readonly #ask: () => void;
  readonly #now: () => number;
  #askedMs = Number.NEGATIVE_INFINITY;

  /** @param ask asks the server to renew `word` @param now milliseconds */
  constructor(word: Uint32Array, ask: () => void, now: () => number = () => performance.now()) {
    this.#word = word;
    this.#ask = ask;
    this.#now = now;
  }

  /** Whether a line of this level would be read by anybody. */
  has(level: LogLevel): boolean {
    if ((this.#word[0]! & BITS[level]) !== 0) return true;
    const now = this.#now();
    if (now - this.#askedMs >= ASK_EVERY_MS) {
      this.#askedMs = now;
      this.#ask();
    }
    return false;
  }
}
