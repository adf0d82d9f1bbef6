// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import * as L from "../protocol/layout.gen.ts";
import { CallSlots } from "./call_slots.ts";

test("a place is used again, and known by how often it was", () => {
  const slots = new CallSlots<string>();
  const a = slots.take("a");
  const b = slots.take("b");
  expect([a, b]).toEqual([
    { table: L.TABLE_CALLS, index: 0, generation: 1, item: 0 },
    { table: L.TABLE_CALLS, index: 1, generation: 1, item: 0 },
  ]);
  expect([slots.find(a), slots.find(b)]).toEqual(["a", "b"]);
  slots.free(0);
  const c = slots.take("c");
  expect(c).toEqual({ ...a, generation: 2 });
  expect([slots.find(a), slots.find(c), [...slots.values()]]).toEqual([undefined, "c", ["c", "b"]]);
});

test("an owner in another table, or beyond the table, is nobody's", () => {
  const slots = new CallSlots<string>();
  const owner = slots.take("a");
  expect(slots.find({ ...owner, table: L.TABLE_BATCHES })).toBeUndefined();
  expect(slots.find({ ...owner, index: 5 })).toBeUndefined();
  slots.free(0);
  expect([slots.find(owner), slots.isEmpty, slots.hasRoom]).toEqual([undefined, true, true]);
});
