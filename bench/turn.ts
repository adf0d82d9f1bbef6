// SPDX-License-Identifier: Apache-2.0
// Whose turn it is in a round.

/** What decides no verdict is measured for a look at it, in the first rounds; the whole run would take too long. */
export const SHOWN_ROUNDS = 3;

/**
 * Who takes part in round `round`, which counts from zero, in this order: another one begins in each, so that none always
 * follows the same neighbour. Those that are not `judged` take part in the first rounds only.
 */
export function turnOf<T>(all: readonly T[], round: number, judged: (one: T) => boolean = () => true): T[] {
  const list = round < SHOWN_ROUNDS ? all : all.filter(judged);
  return list.map((_, i) => list[(i + round) % list.length]!);
}
