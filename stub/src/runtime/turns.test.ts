// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { Turns } from "./turns.ts";

/** Computes for so long. */
function compute(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
const round = () => new Promise((resolve) => setImmediate(resolve));

test("a turn is over after a while, for all who share it, and begins anew when the event loop came round", async () => {
  const turns = new Turns();
  expect(turns.isOver()).toBe(false);
  compute(2);
  expect(turns.isOver()).toBe(true);
  await Promise.resolve();
  expect(turns.isOver()).toBe(true);
  await round();
  await round();
  expect(turns.isOver()).toBe(false);
});

test("who waits gets the turn in the order of asking, one in each round", async () => {
  const turns = new Turns();
  const order: string[] = [];
  turns.isOver();
  for (const name of ["a", "b", "c"]) {
    void turns.next().then(() => order.push(name));
  }
  const rounds: number[] = [];
  while (order.length < 3) {
    await round();
    rounds.push(order.length);
  }
  expect(order).toEqual(["a", "b", "c"]);
  for (const count of [1, 2]) expect(rounds).toContain(count);
});
