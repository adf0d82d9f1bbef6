// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test, vi } from "vitest";
import { ClientMemory, type PlacedInputs } from "./client_memory.ts";
import { MemoryNative } from "./memory_native.ts";
import type { Place } from "./record.ts";

let native: MemoryNative;
let clients: ClientMemory;
let lent: number;
/** A region of the server, and one of the stub. */
let others: number[];
beforeEach(() => {
  native = new MemoryNative();
  clients = new ClientMemory(native);
  lent = native.lend(Uint8Array.of(1, 2, 3, 4));
  others = [native.inbound, native.outbound].map((arena) => arena.allocate(1)!.region);
});
const requestWith = (...places: Place[]): PlacedInputs => ({
  inputCount: places.length,
  inputName: (index) => `IN${index}`,
  inputPlace: (index) => places[index]!,
});

test("knows its regions by their ids", () => {
  expect([lent, ...others].map((region) => clients.isOfClient(region))).toEqual([true, false, false]);
});

describe("an answer can be", () => {
  const input = () => ({ region: lent, offset: 64, bytes: 16 });

  test("anywhere in the stub's memory, and in the server's where an input of the request is", () => {
    const [ofServer, ofStub] = others.map((region) => ({ region, offset: 0, bytes: 8 })) as [Place, Place];
    expect(clients.canAnswerWith(ofStub, requestWith())).toBe(true);
    expect(clients.canAnswerWith(ofServer, requestWith(ofServer))).toBe(true);
    expect(clients.canAnswerWith(ofServer, requestWith(ofStub))).toBe(false);
  });

  test.each([
    [64, 16, true],
    [72, 8, true],
    [63, 16, false],
    [72, 9, false],
    [0, 8, false],
  ])("at %d, %d bytes, beside an input at 64 of 16 bytes: %s", (offset, bytes, can) => {
    const request = requestWith({ region: others[0]!, offset: 0, bytes: 100 }, input());
    expect(clients.canAnswerWith({ region: lent, offset, bytes }, request)).toBe(can);
  });

  test("no part of an input once the model wrote into one: the server does not see it", () => {
    native.noteWrite();
    expect(clients.canAnswerWith(input(), requestWith(input()))).toBe(false);
  });
});

describe("an input is lost", () => {
  const places = () => [others[0]!, lent].map((region) => ({ region, offset: 0, bytes: 4 }));

  test("when its client cut it short", () => {
    expect(clients.lostInput(requestWith(...places()))).toBeUndefined();
    native.cutShort(lent);
    expect(clients.lostInput(requestWith(...places()))).toBe("IN1");
    expect(clients.lostInput(requestWith(places()[0]!))).toBeUndefined();
  });

  test("in memory of clients only", () => {
    native.cutShort(lent);
    vi.spyOn(native, "isLost").mockReturnValue(true);
    expect(clients.lostInput(requestWith(places()[0]!))).toBeUndefined();
  });
});

test("memory is restored only when the model wrote into it", () => {
  const seen = new Uint8Array(native.region(lent));
  const restore = vi.spyOn(native, "restore");
  expect(clients.restore([])).toBe(false);
  expect(restore).not.toHaveBeenCalled();
  seen[0] = 9;
  native.noteWrite();
  expect(clients.restore([])).toBe(true);
  expect(seen[0]).toBe(1);
});

test("memory that an open request has an input in stays as the model wrote it", () => {
  const restore = vi.spyOn(native, "restore");
  native.noteWrite();
  const places = [others[0]!, lent].map((region) => ({ region, offset: 0, bytes: 4 }));
  expect(clients.restore(places.map((place) => requestWith(place)))).toBe(true);
  expect(restore).not.toHaveBeenCalled();
});

test("once a model handles the signals itself, anything may have been written", () => {
  clients.unguard();
  expect(clients.restore([])).toBe(true);
});
