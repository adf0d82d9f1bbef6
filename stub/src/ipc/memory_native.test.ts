// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from "vitest";
import * as L from "../protocol/layout.gen.ts";
import { MemoryNative } from "./memory_native.ts";

let native: MemoryNative;
beforeEach(() => {
  native = new MemoryNative({ limit: 1 << 21 });
});
const cell = () => [...new Float64Array(native.cell)];

describe("blocks", () => {
  test("lie in regions of their side, and do not overlap", () => {
    native.allocate(100);
    const [region] = cell();
    expect(cell()).toEqual([region, 0]);
    native.allocate(1);
    expect(cell()).toEqual([region, 128]);
    expect(region! >= L.REGION_OF_STUB).toBe(true);
    expect(native.inbound.allocate(1)!.region).toBeLessThan(L.REGION_OF_CLIENT);
  });

  test("are used again, neighbours together", () => {
    const blocks = [1, 1, 1].map(() => native.outbound.allocate(1 << 18)!);
    for (const i of [1, 0]) native.outbound.free(blocks[i]!);
    expect(native.outbound.allocate(1 << 19)).toEqual({ ...blocks[0]!, bytes: 1 << 19 });
    expect(native.outbound.used).toBe(3 << 18);
  });

  test("that are larger than a region get one of their own", () => {
    const { region } = native.outbound.allocate(1)!;
    const large = native.outbound.allocate(3 << 19)!;
    expect(large.region).not.toBe(region);
    expect(native.region(large.region).byteLength).toBe(3 << 19);
  });

  test("beyond the limit there are none", () => {
    native.allocate(1 << 20);
    native.allocate((1 << 20) - 64);
    expect(() => native.allocate(65)).toThrow(expect.objectContaining({ code: "ENOMEM" }));
    native.allocate(64);
  });

  test("that are free are not freed again", () => {
    native.allocate(100);
    const [region, offset] = cell() as [number, number];
    native.outbound.free({ region, offset });
    expect(native.outbound.used).toBe(0);
    expect(() => native.outbound.free({ region, offset })).toThrow("free was given a block that was not allocated.");
  });
});

describe("a view", () => {
  test("shows its part of the region, and what is written into it is there after send, and after detach", () => {
    const { region } = native.outbound.allocate(64)!;
    const memory = new Uint8Array(native.region(region));
    memory.set([1, 2, 3], 8);
    const buffer = native.view(region, 8, 2);
    const view = new Uint8Array(buffer);
    expect([...view]).toEqual([1, 2]);
    view[0] = 7;
    native.send(0, 0);
    expect(memory[8]).toBe(7);
    view[1] = 8;
    native.detach(buffer);
    expect([...memory.subarray(8, 11)]).toEqual([7, 8, 3]);
    expect(view).toHaveLength(0);
    native.detach(buffer);
    native.send(0, 0);
  });

  test("out of range is refused, as is a region that there is not", () => {
    const { region } = native.outbound.allocate(64)!;
    expect(() => native.view(region, native.region(region).byteLength - 1, 2)).toThrow("view is out of range.");
    expect(() => native.region(77)).toThrow("The server named a region that it never announced.");
  });
});

test("frames of the control channel go both ways", () => {
  const heard: unknown[] = [];
  native.server = { onEntry: () => {}, onReply: (...reply) => heard.push(reply) };
  native.start(
    () => {},
    (...frame) => heard.push(frame),
    () => heard.push("idle"),
    (error) => heard.push(error.message),
  );
  native.reply(2, 7, "{}");
  native.deliverFrame({ method: 4, call: 8, isReply: false, region: 5, payload: "[]" });
  native.noteIdle();
  native.noteBroken(new Error("broken"));
  expect(heard).toEqual([[2, 7, "{}"], [4, 8, false, 5, "[]"], "idle", "broken"]);
});

describe("a client's file", () => {
  test("is seen as it was lent; what the stub writes stays here, and can be dropped", () => {
    const file = Uint8Array.of(1, 2, 3);
    const region = native.lend(file);
    const seen = new Uint8Array(native.region(region));
    seen[0] = 9;
    expect(file[0]).toBe(1);
    native.restore();
    expect([...seen]).toEqual([1, 2, 3]);
  });

  test("that is cut short reads as zero, also after a restore", () => {
    const region = native.lend(Uint8Array.of(1, 2, 3));
    expect(native.isLost(region)).toBe(false);
    native.cutShort(region);
    native.restore();
    expect(native.isLost(region)).toBe(true);
    expect([...new Uint8Array(native.region(region))]).toEqual([0, 0, 0]);
  });

  test("is gone once it is forgotten", () => {
    const region = native.lend(Uint8Array.of(1));
    native.forget(region);
    expect(() => native.region(region)).toThrow("never announced");
    expect(native.isLost(region)).toBe(false);
  });
});
