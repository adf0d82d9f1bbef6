// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { collectGarbage, collectYoung } from "./garbage.ts";

/** Whether the object has been collected. */
async function isGone(object: WeakRef<object>): Promise<boolean> {
  // A weak reference that was made or read in this turn of the event loop keeps its object.
  await nextTurn();
  return object.deref() === undefined;
}

const nextTurn = () => new Promise((resolve) => setTimeout(resolve, 1));
const make = (bytes: number) => new WeakRef<object>(new Uint8Array(bytes).fill(1));

test("what is not used any more is collected, and the model does not see how", async () => {
  const large = make(32 << 20);
  await nextTurn();
  collectGarbage();
  expect(await isGone(large)).toBe(true);
  expect("gc" in globalThis).toBe(false);
});

test("a little is left alone", async () => {
  collectGarbage();
  const little = make(1000);
  await nextTurn();
  collectGarbage();
  expect(await isGone(little)).toBe(false);
  await nextTurn();
  collectGarbage(true);
  expect(await isGone(little)).toBe(true);
});

test("what is young is collected by itself", async () => {
  const young = make(1000);
  await nextTurn();
  collectYoung();
  expect(await isGone(young)).toBe(true);
});
