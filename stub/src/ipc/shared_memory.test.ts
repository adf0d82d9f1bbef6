// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from "vitest";
import { datatypeOfName, datatypeOfNumber, SharedMemory } from "./shared_memory.ts";
import { CLIENT, FakeNative, INBOUND, OUTBOUND } from "./testing/fake_native.ts";

let native: FakeNative;
let memory: SharedMemory;
beforeEach(() => {
  native = new FakeNative();
  memory = new SharedMemory(native);
});
const fp32 = datatypeOfName("FP32");

test("a region is mapped once", () => {
  expect(memory.region(INBOUND)).toBe(memory.region(INBOUND));
  expect(memory.region(INBOUND).buffer).toBe(native.region(INBOUND));
});

test("a datatype that the protocol does not have", () => {
  expect(() => datatypeOfNumber(99)).toThrow("datatype number 99, which is unknown");
});

describe("views", () => {
  test("lie where they are said to, and are found again", () => {
    const view = memory.view(fp32, { region: INBOUND, offset: 128, bytes: 8 });
    expect(view).toMatchObject({ byteOffset: 128, length: 2 });
    expect(memory.placeOf(view)).toEqual({ region: INBOUND, offset: 128, bytes: 8 });
    expect(memory.placeOf(new Float32Array(2))).toBeUndefined();
  });

  test("of nothing need no memory", () => {
    expect(memory.view(fp32, { region: 77, offset: 0, bytes: 0 })).toHaveLength(0);
    expect(memory.detachableView(fp32, { region: 77, offset: 0, bytes: 0 })).toHaveLength(0);
  });

  test.each(["transfer", "transferToFixedLength", "resize"] as const)("%s is refused with a sentence", (method) => {
    for (const view of [
      memory.view(fp32, { region: INBOUND, offset: 0, bytes: 8 }),
      memory.detachableView(fp32, { region: INBOUND, offset: 0, bytes: 8 }),
    ]) {
      expect(() => (view.buffer as ArrayBuffer)[method](0)).toThrow(
        "The buffer of a tensor is shared with the server and cannot be transferred. Copy it first.",
      );
    }
  });

  test("a region cannot be given to another thread", () => {
    const view = memory.view(fp32, { region: INBOUND, offset: 0, bytes: 8 });
    expect(() => structuredClone(view, { transfer: [view.buffer as ArrayBuffer] })).toThrow();
    expect(memory.region(INBOUND).u8.length).toBeGreaterThan(0);
  });

  test("one that can be detached can be detached", () => {
    const view = memory.detachableView(fp32, { region: INBOUND, offset: 0, bytes: 8 });
    memory.detach(view.buffer);
    expect(view).toHaveLength(0);
  });
});

test("a region that was taken away all the same is not written into silently", () => {
  const buffer = new ArrayBuffer(0);
  native.regions.set(9, buffer);
  expect(() => memory.region(9)).toThrow("The model transferred the buffer of a tensor away");
});

test("blocks come from the addon", () => {
  expect(memory.allocate(100)).toEqual({ region: OUTBOUND, offset: 0, bytes: 100 });
  expect(memory.allocate(1)).toEqual({ region: OUTBOUND, offset: 128, bytes: 1 });
});

describe("a region of a client", () => {
  const view = () => memory.view(fp32, { region: CLIENT, offset: 64, bytes: 8 });

  test("is forgotten: views become empty, and the memory goes", () => {
    const kept = view();
    memory.forget(CLIENT);
    expect(kept).toHaveLength(0);
    expect(native.forgotten).toEqual([[CLIENT, false]]);
  });

  test("that was never looked at is forgotten, too", () => {
    memory.forget(CLIENT);
    expect(native.forgotten).toEqual([[CLIENT, false]]);
  });

  test("whose buffer the model gave away keeps its addresses, which somebody may look at", () => {
    structuredClone(view().buffer, { transfer: [view().buffer as ArrayBuffer] });
    memory.forget(CLIENT);
    expect(native.forgotten).toEqual([[CLIENT, true]]);
  });

  test("is restored only when the model wrote into one", () => {
    expect(memory.restoreInputs()).toBe(false);
    expect(native.restored).toBe(0);
    new Uint32Array(native.clientFlags)[0] = 1;
    expect(memory.restoreInputs()).toBe(true);
    expect(native.restored).toBe(1);
  });

  test("may be lost, others not", () => {
    native.lost.add(CLIENT).add(INBOUND);
    expect([CLIENT, INBOUND, OUTBOUND].map((id) => memory.isLost(id))).toEqual([true, false, false]);
  });
});
