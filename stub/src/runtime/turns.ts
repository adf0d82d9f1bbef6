// SPDX-License-Identifier: Apache-2.0

/** How long streams may compute until timers and I/O get their turn. */
const TURN_MS = 0.5;

/** Shares the event loop between streams that never wait for anything, and with everything else on it. */
export class Turns {
  /** When the first of them looked at the clock since the event loop last came round; undefined if none has. */
  #began: number | undefined;
  readonly #waiting: (() => void)[] = [];

  /** Whether it is time to let others. */
  isOver(): boolean {
    const now = performance.now();
    if (this.#began === undefined) {
      this.#began = now;
      setImmediate(this.#onRound);
    }
    return now - this.#began > TURN_MS;
  }

  /** Settled when the turn comes, after those who asked before. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  readonly #onRound = (): void => {
    this.#began = undefined;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    // Comes round again, for the others.
    this.#began = performance.now();
    setImmediate(this.#onRound);
    next();
  };
}
