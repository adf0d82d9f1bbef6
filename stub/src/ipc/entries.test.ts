// SPDX-License-Identifier: Apache-2.0
import { expect, test, vi } from "vitest";
import * as L from "../protocol/layout.gen.ts";
import { type Entry, EntryArray, Inbox, Outbox } from "./entries.ts";
import { MemoryNative } from "./memory_native.ts";

const owner = { table: 1, index: 2, generation: 3, item: 4 };
const place = { region: 5, offset: 2 ** 33, bytes: 7 };

test("an entry that was written is read, and has no word but its own", () => {
  const entries = new EntryArray(new ArrayBuffer(3 * L.ENTRY_SIZE));
  expect(entries.length).toBe(3);
  entries.write(1, 8, 9, owner, place, 0.1);
  expect(entries.read(1)).toEqual({ kind: 8, flags: 9, ...owner, place, value: 0.1 });
  entries.write(1, 8, 9, owner, place);
  expect(entries.read(1).value).toBe(0);
  for (const index of [0, 2]) {
    expect(entries.read(index)).toMatchObject({ kind: 0, place: { region: 0, offset: 0, bytes: 0 } });
  }
});

test("entries are handed out in their order, though a handler causes more to come", () => {
  const native = new MemoryNative();
  const taken: number[] = [];
  const incoming = new EntryArray(native.inbox);
  const execute = ({ item }: Entry) => {
    taken.push(item);
    incoming.write(1, L.ENTRY_EXECUTE, 0, { ...owner, item: 99 }, place);
  };
  const inbox = new Inbox(native, { execute, cancel: () => {}, call_response: () => {}, metric_value: () => {} });
  for (const item of [0, 1]) incoming.write(item, L.ENTRY_EXECUTE, 0, { ...owner, item }, place);
  inbox.deliver(2);
  expect(taken).toEqual([0, 1]);
});

test("a kind that nobody knows is refused", () => {
  const native = new MemoryNative();
  new EntryArray(native.inbox).write(0, 77, 0, owner, place);
  expect(() =>
    new Inbox(native, { execute: () => {}, cancel: () => {}, call_response: () => {}, metric_value: () => {} }).deliver(
      1,
    ),
  ).toThrow("The server sent an entry of unknown kind 77.");
});

test("what is added is sent once, with blocks to free behind it", () => {
  const native = new MemoryNative();
  const send = vi.spyOn(native, "send");
  const sent: Entry[] = [];
  native.server = { onEntry: (entry) => sent.push(entry) };
  const outbox = new Outbox(native);
  outbox.flush();
  outbox.add(L.ENTRY_RESPONSE, L.RESPONSE_FINAL, owner, place);
  outbox.freeLater(native.outbound.allocate(10)!);
  outbox.flush();
  outbox.flush();
  expect(send.mock.calls).toEqual([[1, 1]]);
  expect(sent).toEqual([{ kind: L.ENTRY_RESPONSE, flags: L.RESPONSE_FINAL, ...owner, place, value: 0 }]);
  expect(native.outbound.used).toBe(0);
});

test("more blocks than fit are freed in several calls", () => {
  const native = new MemoryNative();
  const outbox = new Outbox(native);
  for (let i = 0; i < 600; i++) outbox.freeLater(native.outbound.allocate(10)!);
  outbox.flush();
  expect(native.outbound.used).toBe(0);
});
