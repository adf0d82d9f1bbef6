// SPDX-License-Identifier: Apache-2.0
// Where a model made a tensor or a response. A stack costs microseconds, so one is taken only for a while after something
// was found to be wrong with an answer: the second time it can be said where it came from.

/** Objects of which the origin is noted after a fault. */
const NOTED_AFTER_FAULT = 1000;

let left = 0;
const origins = new WeakMap<object, Error>();

/** From now on the origins of the next objects are noted. */
export function noteOrigins(): void {
  left = NOTED_AFTER_FAULT;
}

/** An object that a model made; called where it is made. */
export function noteOrigin(made: object): void {
  if (left === 0) return;
  left--;
  origins.set(made, new Error());
}

/** Frames of these folders are ours, compiled or as source maps show them. */
const OWN_FRAME = /\/stub\/src\/(?:api|ipc)\/|^node:/;

/** The place where an object was made, as `file:line:column`, when it was noted. */
export function originOf(made: object): string | undefined {
  try {
    for (const line of origins.get(made)?.stack?.split("\n") ?? []) {
      const place = /^\s+at (?:.*\()?(.*:\d+:\d+)\)?$/.exec(line)?.[1];
      if (place === undefined || OWN_FRAME.test(place)) continue;
      return place.startsWith("file://") ? decodeURI(place.slice("file://".length)) : place;
    }
  } catch {
    // How a stack reads is the model's to change (Error.prepareStackTrace).
  }
  return undefined;
}
