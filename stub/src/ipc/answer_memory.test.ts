// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Tensor } from "../api/tensor.ts";
import { AnswerMemory } from "./answer_memory.ts";
import { dtypeOfName } from "./dtype.ts";
import { MemoryNative } from "./memory_native.ts";
import { SharedMemory } from "./shared_memory.ts";

const MIB = 1 << 20;
const turn = () => vi.runAllTimersAsync();
let native: MemoryNative;
const free = vi.fn();
const collect = vi.fn();
const wantTurn = vi.fn();
const whenFree = (run: () => void) => void setImmediate(run);
let answers: AnswerMemory;
beforeEach(() => {
  vi.resetAllMocks();
  vi.useFakeTimers();
  native = new MemoryNative();
  answers = new AnswerMemory(new SharedMemory(native), 32 * MIB, { free, collect, wantTurn, whenFree });
});
afterEach(() => vi.useRealTimers());

/** Takes an answer with outputs of so many bytes. */
function take(generation: number, ...sizes: number[]): Tensor[] {
  const outputs = sizes.map((bytes, i) => ({
    name: `O${i}`,
    dtype: dtypeOfName("UINT8"),
    shape: [bytes],
    place: { region: native.inbound.allocate(bytes)!.region, offset: 0, bytes },
  }));
  return answers.take({ table: 3, index: 0, generation, item: 0 }, outputs);
}

test("one without large outputs is free at once", () => {
  take(1);
  take(2, 0, 65_535);
  expect(free.mock.calls.map(([{ generation }]) => generation)).toEqual([1, 2]);
});

test("one with several large outputs is free when all of them are", () => {
  const [first, small, second] = take(1, 65_536, 4, MIB);
  answers.dispose([small!, first!]);
  expect(free).not.toHaveBeenCalled();
  answers.dispose([first!, second!]);
  expect(free).toHaveBeenCalledTimes(1);
  expect([first!.data.length, small!.data.length]).toEqual([0, 4]);
});

test("one that is kept is free when that is over, too", () => {
  const [output] = take(1, MIB);
  const { buffer } = output!.data;
  const giveUp = [answers.keep(buffer)!, answers.keep(buffer)!];
  answers.dispose([output!]);
  giveUp[0]!();
  expect(free).not.toHaveBeenCalled();
  giveUp[1]!();
  expect(free).toHaveBeenCalledTimes(1);
  expect(answers.keep(new ArrayBuffer(1))).toBeUndefined();
});

const collections = (youngOnly: boolean) => collect.mock.calls.filter(([young]) => young === youngOnly).length;

test("garbage is collected when much of the limit is viewed", async () => {
  const outputs = [take(1, 5 * MIB), take(2, 4 * MIB)]; // more than a quarter
  expect(collections(false)).toBe(1);
  outputs.push(take(3, 9 * MIB));
  expect(collections(false)).toBe(1); // is being done
  await turn();
  // What is left does not count any more.
  outputs.push(take(4, 7 * MIB));
  expect(collections(false)).toBe(1);
  outputs.push(take(5, 2 * MIB));
  expect(collections(false)).toBe(2);
  await turn();
  // What of it is gone does.
  for (const each of outputs.splice(0)) answers.dispose(each);
  outputs.push(take(6, 7 * MIB));
  expect(collections(false)).toBe(2);
  outputs.push(take(7, 2 * MIB));
  expect(collections(false)).toBe(3);
});

test("what is young is collected long before, when nothing else is to be done", async () => {
  let garbage = [take(1, MIB), take(2, MIB)];
  collect.mockImplementation(() => {
    for (const each of garbage.splice(0)) answers.dispose(each);
  });
  garbage.push(take(3, MIB)); // more than a sixteenth
  expect(collections(true)).toBe(0);
  expect(wantTurn.mock.calls).toEqual([[true]]);
  await turn();
  expect(collect.mock.calls).toEqual([[true]]);
  expect(wantTurn.mock.calls).toEqual([[true], [false]]);
  expect(wantTurn.mock.invocationCallOrder[1]).toBeGreaterThan(collect.mock.invocationCallOrder[0]!);
  garbage = [take(4, MIB), take(5, MIB)];
  await turn();
  expect(collections(true)).toBe(1);
  garbage.push(take(6, MIB));
  await turn();
  expect(collections(true)).toBe(2);
});

test("the event loop is let go of again though a collection fails, and there is another one", async () => {
  collect.mockImplementationOnce(() => {
    throw new Error("no memory");
  });
  const kept = [take(1, 3 * MIB)];
  await expect(turn()).rejects.toThrow("no memory");
  await turn();
  expect(wantTurn.mock.calls).toEqual([[true], [false]]);
  kept.push(take(2, 5 * MIB));
  await turn();
  expect(collections(true)).toBe(2);
});

test("what is young is collected less often where that is of little use, until it is of use again", async () => {
  const kept = [take(1, 3 * MIB)];
  await turn();
  expect(collections(true)).toBe(1);
  kept.push(take(2, 3 * MIB)); // twice as much is needed now
  await turn();
  expect(collections(true)).toBe(1);
  collect.mockImplementationOnce(() => {
    for (const each of kept.splice(0)) answers.dispose(each);
  });
  kept.push(take(3, 2 * MIB));
  await turn();
  expect(collections(true)).toBe(2);
  kept.push(take(4, 3 * MIB));
  await turn();
  expect(collections(true)).toBe(3);
});
