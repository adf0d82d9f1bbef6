// SPDX-License-Identifier: Apache-2.0
// A fixed amount of work: as many portions as take a given time on a free core, found once. A loop that watches the clock
// instead would end on time however little of a core it gets.

/** A portion is short: a long loop may be compiled while it runs, and stay several times slower for it than one that ran before. */
function portion(state: number): number {
  for (let i = 0; i < 500; i++) state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return state;
}

/** Does that many portions of integer arithmetic and returns what came of them. */
export function work(portions: number): number {
  let state = 1;
  for (let i = 0; i < portions; i++) state = portion(state);
  return state;
}

/** How many portions take `ms` milliseconds here; the fastest of several tries, since others may want the core too. */
export function portionsFor(ms: number): number {
  const tried = 2000;
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 50; i++) {
    const start = performance.now();
    work(tried);
    best = Math.min(best, performance.now() - start);
  }
  return Math.round((tried * ms) / best);
}
