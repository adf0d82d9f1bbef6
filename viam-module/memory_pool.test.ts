// SPDX-License-Identifier: Apache-2.0
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type GrpcClient, SharedMemory, type SharedMemoryRegion, Tensor, TritonError } from "../client/index.ts";
import { rangeOf } from "../client/memory_place.ts";
import { Log } from "./log.ts";
import { MemoryPool, sizeFor } from "./memory_pool.ts";

/** A fake of what the pool asks of a server: it opens the memory by its name, as a server does. */
class FakeServer {
  readonly host = "fake:8001";
  readonly files = new Map<string, number>();
  readonly gone: string[] = [];
  whenAsked: () => unknown = () => undefined;

  async registerSystemSharedMemory({ name, key }: SharedMemoryRegion): Promise<void> {
    await this.whenAsked();
    this.files.set(name, openSync(`/dev/shm${key}`, "r"));
  }

  async unregisterSystemSharedMemory(memory: SharedMemoryRegion | string): Promise<void> {
    this.gone.push(typeof memory === "string" ? memory : memory.name);
  }

  read(name: string, byteLength: number): Uint8Array {
    const bytes = new Uint8Array(byteLength);
    readSync(this.files.get(name)!, bytes, 0, byteLength, 0);
    return bytes;
  }
}

let server: FakeServer;
let pool: MemoryPool;
let log: Log;
let lines: string[];

beforeEach(() => {
  server = new FakeServer();
  lines = [];
  log = new Log(
    "pool",
    ({ message }) => lines.push(message),
    () => "debug",
  );
  pool = new MemoryPool(server as unknown as GrpcClient, log);
});

afterEach(async () => {
  vi.restoreAllMocks();
  await pool.close({ serverGoesOn: false });
  for (const file of server.files.values()) closeSync(file);
});

const picture = (byteLength: number, value: number) => {
  return new Tensor("image", new Uint8Array(byteLength).fill(value), [byteLength], "UINT8");
};

test("a large tensor lies in memory that the server has, whose name is gone", async () => {
  const { tensors } = await pool.place([picture(100_000, 7), picture(10, 1)]);
  const range = rangeOf(tensors[0]!)!;
  expect(range).toMatchObject({ offset: 0, byteLength: 100_000 });
  expect(existsSync(`/dev/shm${range.region.key}`)).toBe(false);
  expect(server.read(range.region.name, 100_000)).toEqual(new Uint8Array(100_000).fill(7));
  expect(rangeOf(tensors[1]!)).toBeUndefined();
});

test("memory is used again when it was read, and not before", async () => {
  const first = await pool.place([picture(100_000, 1)]);
  const second = await pool.place([picture(100_000, 2)]);
  expect(server.files.size).toBe(2);
  first.release(true);
  const third = await pool.place([picture(110_000, 3)]);
  expect(server.files.size).toBe(2);
  const nameOf = ({ tensors: [tensor] }: typeof first) => rangeOf(tensor!)!.region.name;
  expect(nameOf(third)).toBe(nameOf(first));
  expect(server.read(nameOf(third), 110_000)).toEqual(new Uint8Array(110_000).fill(3));
  second.release(false);
  await pool.place([picture(100_000, 4)]);
  expect(server.files.size).toBe(3);
});

test("a server that cannot map it gets messages from then on, and no name stays", async () => {
  let key = "";
  server.registerSystemSharedMemory = async (region) => {
    key = region.key;
    throw new Error("no such file");
  };
  const { tensors } = await pool.place([picture(100_000, 1)]);
  expect(rangeOf(tensors[0]!)).toBeUndefined();
  expect(existsSync(`/dev/shm${key}`)).toBe(false);
  expect(pool.totalBytes).toBe(0);
  key = "";
  await pool.place([picture(100_000, 1)]);
  expect(key).toBe("");
  expect(lines).toEqual([expect.stringMatching(/^Large tensors go to fake:8001 in messages.*no such file/)]);
});

test("that there is no room is said once, and again when there was room in between", async () => {
  const create = SharedMemory.create.bind(SharedMemory);
  let roomBytes = 0;
  // A fake of a /dev/shm that is full, which a test must not bring about for all programs of the machine.
  vi.spyOn(SharedMemory, "create").mockImplementation((options) => {
    if (options.byteSize <= roomBytes) return create(options);
    const cause = Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    throw new TritonError("/dev/shm is full", "UNAVAILABLE", { cause });
  });
  const isPlaced = async (byteLength: number) =>
    rangeOf((await pool.place([picture(byteLength, 1)])).tensors[0]!) !== undefined;
  const said = expect.stringMatching(/^Tensors go in messages while there is no room: \/dev\/shm is full/);

  expect(await isPlaced(1_000_000)).toBe(false);
  expect(await isPlaced(1_000_000)).toBe(false);
  expect(lines).toEqual([said]);
  roomBytes = 200_000;
  // There is still none for what did not fit.
  expect([await isPlaced(100_000), await isPlaced(1_000_000)]).toEqual([true, false]);
  expect(lines).toEqual([said]);
  roomBytes = 2_000_000;
  expect(await isPlaced(1_000_000)).toBe(true);
  expect(lines).toEqual([said]);
  roomBytes = 0;
  expect([await isPlaced(1_000_000), await isPlaced(1_000_000)]).toEqual([false, false]);
  expect(lines).toEqual([said, said]);
});

test("one that is closed meanwhile places nothing, and fails nobody", async () => {
  server.whenAsked = () => pool.close({ serverGoesOn: true });
  const { tensors, release } = await pool.place([picture(100_000, 1)]);
  expect(rangeOf(tensors[0]!)).toBeUndefined();
  release(true);
  expect(pool.totalBytes).toBe(0);
  expect(server.gone).toHaveLength(1);
  expect(lines).toEqual([]);
});

test("what is free keeps a part of it only", async () => {
  const size = 1024 * 1024;
  pool = new MemoryPool(server as unknown as GrpcClient, log, { mostFreeBytes: 2 * size });
  const placed = await Promise.all([1, 2, 3].map((value) => pool.place([picture(size, value)])));
  expect(pool.totalBytes).toBe(3 * size);
  for (const { release } of placed) release(true);
  expect(pool.totalBytes).toBe(2 * size);
  expect(server.gone).toHaveLength(1);
});

test("memory is at most a quarter larger than what it is for, and as large for pictures of about one size", () => {
  for (const bytes of [65_536, 65_537, 100_000, 921_600, 1920 * 1080 * 3]) {
    expect(sizeFor(bytes)).toBeGreaterThanOrEqual(bytes);
    expect(sizeFor(bytes)).toBeLessThan(bytes * 1.25 + 1);
  }
  expect(sizeFor(921_600)).toBe(sizeFor(921_599));
  expect(sizeFor(1920 * 1080 * 3)).toBe(6 * 1024 * 1024);
});
