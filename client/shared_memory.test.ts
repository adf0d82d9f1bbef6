// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Tensor } from "../stub/src/api/tensor.ts";
import { rangeOf } from "./memory_place.ts";
import { SharedMemory } from "./shared_memory.ts";

const fileOf = ({ key }: SharedMemory) => `/dev/shm${key}`;

describe.skipIf(process.platform !== "linux")("SharedMemory", () => {
  it("is seen by others who map it, and is gone when it is closed", () => {
    const memory = SharedMemory.create({ byteSize: 100 });
    const other = SharedMemory.open({ key: memory.key, byteSize: 100, name: "mine" });
    expect([memory.name, other.name]).toEqual([memory.key.slice(1), "mine"]);
    expect(memory.buffer.every((byte) => byte === 0)).toBe(true);
    memory.buffer[99] = 7;
    expect(other.buffer[99]).toBe(7);
    expect(existsSync(fileOf(memory))).toBe(true);
    memory.close();
    expect(existsSync(fileOf(memory))).toBe(false);
    expect(other.buffer[99]).toBe(7);
    other.close();
    other.close();
    expect(other.buffer).toHaveLength(0);
  });

  it("leaves memory of others alone when it is closed", () => {
    using memory = SharedMemory.create({ byteSize: 10 });
    SharedMemory.open({ key: memory.key, byteSize: 10 }).close();
    expect(existsSync(fileOf(memory))).toBe(true);
  });

  it("holds tensors of every kind", () => {
    using memory = SharedMemory.create({ byteSize: 256 });
    const floats = memory.tensor("F", "FP32", [2, 2], 16);
    floats.data.set([1, 2, 3, 4]);
    expect([...new Float32Array(memory.buffer.buffer, 16, 4)]).toEqual([1, 2, 3, 4]);
    expect(rangeOf(floats as unknown as Tensor)).toMatchObject({ region: memory, offset: 16, byteLength: 16 });
    const longs = memory.place(new Tensor("L", BigInt64Array.of(-1n), [1]), 64);
    expect([longs.data[0], longs.data.byteOffset, longs.datatype]).toEqual([-1n, 64, "INT64"]);
    const words = memory.place(new Tensor("W", ["a", "bc"], [2]), 101);
    expect([words.strings(), words.data.byteOffset, words.byteLength]).toEqual([["a", "bc"], 101, 11]);
    expect(memory.tensor("E", "FP64", [0], 256).data).toHaveLength(0);
    expect(memory.tensor("S", "UINT8", []).elementCount).toBe(1);
  });

  it("refuses what does not fit", () => {
    using memory = SharedMemory.create({ byteSize: 64 });
    expect(() => memory.tensor("F", "FP32", [17])).toThrow(/64 bytes, but 68/);
    expect(() => memory.tensor("F", "FP32", [1], 2)).toThrow(/multiple of 4/);
    expect(() => memory.tensor("F", "FP32", [1], -4)).toThrow(/-4/);
    expect(() => memory.tensor("F", "FP32", [-1])).toThrow(/Dimension 0/);
    expect(() => memory.tensor("F", "BYTES", [1])).toThrow(/place\(\)/);
    expect(() => memory.tensor("", "INT8", [1])).toThrow(/name/);
    expect(() => memory.place(new Tensor("W", ["x".repeat(61)], [1]))).toThrow(/65 bytes/);
    expect(() => memory.range(0, 65)).toThrow(/65/);
    expect(() => memory.range(0.5, 1)).toThrow(/0.5/);
  });

  it("empties its tensors when it is closed", () => {
    const memory = SharedMemory.create({ byteSize: 64 });
    const tensor = memory.tensor("F", "FP32", [4]);
    memory.close();
    expect(tensor.data).toHaveLength(0);
    expect(() => memory.range()).toThrow(/closed/);
    expect(() => memory.tensor("F", "FP32", [0])).toThrow(/closed/);
  });

  it("says why it cannot be made or opened", () => {
    using memory = SharedMemory.create({ byteSize: 64, key: `/triton-ts-test-${process.pid}` });
    const codeOf = (run: () => unknown) => {
      try {
        run();
      } catch (error) {
        return error;
      }
      return undefined;
    };
    const { key } = memory;
    expect(codeOf(() => SharedMemory.create({ key, byteSize: 64 }))).toMatchObject({ code: "ALREADY_EXISTS" });
    expect(existsSync(fileOf(memory))).toBe(true);
    expect(codeOf(() => SharedMemory.open({ key: "/no-such-memory", byteSize: 64 }))).toMatchObject({
      code: "NOT_FOUND",
    });
    expect(() => SharedMemory.open({ key, byteSize: 65 })).toThrow(/shorter/);
    const tooLarge = codeOf(() => SharedMemory.create({ byteSize: 2 ** 49, key: `${key}-large` })) as Error;
    expect(tooLarge).toMatchObject({ code: "UNAVAILABLE" });
    expect(existsSync(`/dev/shm${key}-large`)).toBe(false);
    for (const wrong of ["none", "/a/b", "", `/${"x".repeat(251)}`, "/a\0b"]) {
      expect(() => SharedMemory.create({ byteSize: 1, key: wrong })).toThrow(/key of shared memory/);
    }
    for (const byteSize of [0, -1, 1.5, Number.NaN]) {
      expect(() => SharedMemory.create({ byteSize })).toThrow(/byteSize/);
    }
  });

  it("is gone when the process exits, or when nobody can reach it", () => {
    const script = `
      const { SharedMemory } = await import(${JSON.stringify(fileURLToPath(new URL("./shared_memory.ts", import.meta.url)))});
      const { existsSync } = await import("node:fs");
      const kept = SharedMemory.create({ byteSize: 16 });
      const lost = (() => SharedMemory.create({ byteSize: 16 }).key)();
      for (let i = 0; i < 1000 && existsSync("/dev/shm" + lost); i++) {
        globalThis.gc();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      console.log(JSON.stringify({ kept: kept.key, isLostGone: !existsSync("/dev/shm" + lost) }));`;
    const args = ["--expose-gc", "--import", "tsx", "--input-type=module", "-e", script];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(stdout, stderr).not.toBe("");
    const { kept, isLostGone } = JSON.parse(stdout) as { kept: string; isLostGone: boolean };
    expect(isLostGone).toBe(true);
    expect(existsSync(`/dev/shm${kept}`)).toBe(false);
  });

  it("listens for the end of the process once, however often memory comes and goes", () => {
    SharedMemory.create({ byteSize: 16 }).close();
    const before = process.listenerCount("exit");
    for (let i = 0; i < 3; i++) SharedMemory.create({ byteSize: 16 }).close();
    expect(process.listenerCount("exit")).toBe(before);
  });
});
