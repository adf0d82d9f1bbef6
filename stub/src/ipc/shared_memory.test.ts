// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test, vi } from "vitest";
import * as L from "../protocol/layout.gen.ts";
import { dtypeOfName, dtypeOfNumber } from "./dtype.ts";
import { MemoryNative } from "./memory_native.ts";
import { SharedMemory } from "./shared_memory.ts";

let native: MemoryNative;
let memory: SharedMemory;
/** A region that the server writes. */
let region: number;
beforeEach(() => {
  native = new MemoryNative();
  memory = new SharedMemory(native);
  region = native.inbound.allocate(1)!.region;
});
const fp32 = dtypeOfName("FP32");

test("a region is mapped once", () => {
  const map = vi.spyOn(native, "region");
  expect(memory.region(region)).toBe(memory.region(region));
  expect(map).toHaveBeenCalledTimes(1);
  expect(memory.region(region).buffer).toBe(native.region(region));
});

test("a datatype that the protocol does not have", () => {
  expect(() => dtypeOfNumber(99)).toThrow("datatype number 99, which is unknown");
});

describe("views", () => {
  test("lie where they are said to, and are found again", () => {
    const view = memory.view(fp32, { region, offset: 128, bytes: 8 });
    expect(view).toMatchObject({ byteOffset: 128, length: 2 });
    expect(memory.placeOf(view)).toEqual({ region, offset: 128, bytes: 8 });
    expect(memory.placeOf(new Float32Array(2))).toBeUndefined();
    expect(memory.placeOf(new Float32Array(1000))).toBeUndefined();
  });

  test("of nothing need no memory", () => {
    expect(memory.view(fp32, { region: 77, offset: 0, bytes: 0 })).toHaveLength(0);
    expect(memory.detachableView(fp32, { region: 77, offset: 0, bytes: 0 })).toHaveLength(0);
  });

  test.each(["transfer", "transferToFixedLength", "resize"] as const)("%s is refused with a sentence", (method) => {
    for (const view of [
      memory.view(fp32, { region, offset: 0, bytes: 8 }),
      memory.detachableView(fp32, { region, offset: 0, bytes: 8 }),
    ]) {
      expect(() => (view.buffer as ArrayBuffer)[method](0)).toThrow(
        "The buffer of a tensor is shared with the server and cannot be transferred. Copy it first.",
      );
    }
  });

  test("a region cannot be given to another thread", () => {
    const view = memory.view(fp32, { region, offset: 0, bytes: 8 });
    expect(() => structuredClone(view, { transfer: [view.buffer as ArrayBuffer] })).toThrow();
    expect(memory.region(region).u8.length).toBeGreaterThan(0);
  });

  // The place stands in a record, which a model can write over.
  test.each([
    ["behind the region", { offset: 1 << 20, bytes: 4 }],
    ["longer than the region", { offset: 0, bytes: 2 ** 60 }],
    ["beyond what a number holds", { offset: 2 ** 63, bytes: 4 }],
    ["between two elements", { offset: 6, bytes: 4 }],
    ["of half an element", { offset: 0, bytes: 6 }],
    ["in the control region", { region: 0, offset: 0, bytes: 4 }],
  ])("%s are refused", (_what, place) => {
    for (const kind of ["view", "detachableView"] as const) {
      expect(() => memory[kind](fp32, { region, ...place })).toThrow("The model wrote over the memory of its request.");
    }
  });

  test("one that can be detached can be detached", () => {
    const view = memory.detachableView(fp32, { region, offset: 0, bytes: 8 });
    memory.detach(view.buffer);
    expect(view).toHaveLength(0);
  });
});

test("a region that was taken away all the same is not written into silently", () => {
  vi.spyOn(native, "region").mockReturnValue(new ArrayBuffer(0));
  expect(() => memory.region(9)).toThrow("The model transferred the buffer of a tensor away");
});

test("blocks come from the addon", () => {
  const first = memory.allocate(100, "an output");
  expect(first).toEqual({ region: expect.any(Number), offset: 0, bytes: 100 });
  expect(first.region).toBeGreaterThan(L.REGION_OF_STUB);
  expect(memory.tryAllocate(1)).toEqual({ region: first.region, offset: 128, bytes: 1 });
});

describe("at the memory limit", () => {
  test("the error says what needs how much, and what to do", () => {
    native.outbound.limit = 64;
    expect(memory.tryAllocate(65)).toBeUndefined();
    expect(() => memory.allocate(65, "an output")).toThrow(
      "Failed to increase the shared memory pool size: an output needs 65 bytes, which do not fit into the limit. " +
        "Raise --backend-config=typescript,shm-max-byte-size or answer with less.",
    );
  });

  test("what else the addon throws is passed on", () => {
    vi.spyOn(native, "allocate").mockImplementation(() => {
      throw Object.assign(new Error("broken"), { code: "EPROTO" });
    });
    expect(() => memory.tryAllocate(1)).toThrow("broken");
  });
});

describe("a region of a client is forgotten", () => {
  let lent: number;
  beforeEach(() => {
    lent = native.lend(new Uint8Array(1 << 12));
    vi.spyOn(native, "forget");
  });
  const view = () => memory.view(fp32, { region: lent, offset: 64, bytes: 8 });

  test("views become empty, and the memory goes", () => {
    const kept = view();
    memory.forget(lent);
    expect(kept).toHaveLength(0);
    expect(native.forget).toHaveBeenCalledExactlyOnceWith(lent, false);
    expect(view).toThrow("never announced");
  });

  test("that was never looked at", () => {
    memory.forget(lent);
    expect(native.forget).toHaveBeenCalledExactlyOnceWith(lent, false);
  });

  test("whose buffer the model gave away: it keeps its addresses, which somebody may look at", () => {
    structuredClone(view().buffer, { transfer: [view().buffer as ArrayBuffer] });
    memory.forget(lent);
    expect(native.forget).toHaveBeenCalledExactlyOnceWith(lent, true);
  });
});

describe("what stays", () => {
  test("a copy is the model's own", () => {
    const place = { region, offset: 128, bytes: 8 };
    const copy = memory.copy(fp32, place);
    memory.view(fp32, place).fill(5 as never);
    expect(copy).toEqual(new Float32Array(2));
    expect(memory.placeOf(copy)).toBeUndefined();
    expect(memory.copy(fp32, { region: 77, offset: 0, bytes: 0 })).toHaveLength(0);
  });

  test("a lasting buffer is found again, and parts of it, until it is detached", () => {
    const buffer = memory.lastingBuffer({ region, offset: 128, bytes: 16 });
    const part = new Float32Array(buffer, 8, 2);
    expect(memory.placeOf(part)).toEqual({ region, offset: 136, bytes: 8 });
    expect([memory.lasts(buffer), memory.lasts(memory.view(fp32, { region, offset: 0, bytes: 4 }).buffer)]).toEqual([
      true,
      false,
    ]);
    memory.detach(buffer);
    expect(memory.placeOf(part)).toBeUndefined();
  });
});
