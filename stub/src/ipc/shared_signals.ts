// SPDX-License-Identifier: Apache-2.0

interface Cancellable {
  cancel(): void;
}

interface Followers {
  readonly all: Set<Cancellable>;
  readonly onAbort: () => void;
}

/** Cancels what follows a signal: with one listener for each signal, as Node warns of a leak where there are more than ten. */
export class SharedSignals {
  readonly #followers = new WeakMap<AbortSignal, Followers>();

  add(signal: AbortSignal, follower: Cancellable): void {
    let followers = this.#followers.get(signal);
    if (followers === undefined) {
      const all = new Set<Cancellable>();
      const onAbort = () => {
        for (const each of all) each.cancel();
      };
      followers = { all, onAbort };
      this.#followers.set(signal, followers);
      signal.addEventListener("abort", onAbort);
    }
    followers.all.add(follower);
  }

  delete(signal: AbortSignal, follower: Cancellable): void {
    const followers = this.#followers.get(signal);
    if (!followers?.all.delete(follower) || followers.all.size > 0) return;
    this.#followers.delete(signal);
    signal.removeEventListener("abort", followers.onAbort);
  }
}
