// SPDX-License-Identifier: Apache-2.0

const BURST = 100;
const PER_SECOND = 1;

/** Keeps a log readable, and its disk from filling: some entries at once, then one each second. */
export class LogLimit {
  readonly #now: () => number;
  #left = BURST;
  #at: number;
  #skipped = 0;

  /** @param now milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#at = now();
  }

  /** Asks for one entry. Returns how many were refused since the last one that was not, or undefined: not this one. */
  take(): number | undefined {
    const now = this.#now();
    this.#left = Math.min(BURST, this.#left + ((now - this.#at) / 1000) * PER_SECOND);
    this.#at = now;
    if (this.#left < 1) {
      this.#skipped++;
      return undefined;
    }
    this.#left--;
    const skipped = this.#skipped;
    this.#skipped = 0;
    return skipped;
  }
}
