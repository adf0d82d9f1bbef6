// SPDX-License-Identifier: Apache-2.0
// Records that JavaScript reads, changed by chance: by a server before they are read, by a model after that. Reading them
// ends, with what fits into the record or with a sentence, and touches nothing outside the region.
import { expect, test } from "vitest";
import { Tensor } from "../../stub/src/api/index.ts";
import type { Batch } from "../../stub/src/ipc/batch.ts";
import type { HostRequest } from "../../stub/src/ipc/memory_host.ts";
import { makeRegion, type Place } from "../../stub/src/ipc/record.ts";
import { TestConnection } from "../../stub/src/ipc/testing/received_batch.ts";
import * as L from "../../stub/src/protocol/layout.gen.ts";

const ROUNDS = 2000;
const tables = { inputs: ["A", "B"], outputs: ["X", "Y"] };
const requests: HostRequest[] = [
  {
    id: "first",
    correlationId: "sequence",
    requestedOutputs: ["Y"],
    parameters: { text: "value", whole: 7, yes: true, half: 0.5 },
    inputs: [
      new Tensor("A", Float32Array.of(1, 2, 3, 4), [2, 2]),
      new Tensor("B", ["one", "two", ""], [3]),
      new Tensor("surprise", BigInt64Array.of(5n), [1]),
    ],
  },
  { inputs: [new Tensor("B", new Uint8Array(24), [24])] },
];

/** Numbers that look like chance and are the same in each run. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const LARGE = [0, 1, 0x7f, 0xff, 0x100, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff];

/** Changes words and bytes of a block, most often near its start, where the heads are. */
function spoil(buffer: ArrayBuffer, { offset, bytes }: Place, random: (below: number) => number): void {
  const { u8, u32 } = makeRegion(0, buffer);
  for (let changes = 1 + random(4); changes > 0; changes--) {
    const at = offset + random(random(2) === 0 ? bytes : Math.min(bytes, 160));
    if (random(2) === 0) u8[at] = random(256);
    else u32[at >> 2] = random(3) === 0 ? random(2 ** 32) : LARGE[random(LARGE.length)]!;
  }
}

/** Calls `look`; what it throws is a sentence about who is to blame. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (!(error instanceof Error && /^The (server|model) .*\.$/s.test(error.message))) throw error;
    return undefined;
  }
}

/** As `expect` is slow, it is only asked about what is wrong. */
function atMost(number: number, limit: number): void {
  if (!(number <= limit)) expect(number).toBeLessThanOrEqual(limit);
}

function readAll({ lives, requests }: Batch, blockBytes: number): void {
  atMost(lives.length * L.REQUEST_SIZE, blockBytes);
  for (const [i, life] of lives.entries()) {
    const request = requests[i]!;
    for (const text of ["id", "correlationId", "parameters", "requestedOutputs"] as const) attempt(() => request[text]);
    atMost(Object.keys(attempt(() => life.parameters) ?? {}).length * L.PARAMETER_SIZE, blockBytes);
    atMost(attempt(() => life.requestedOutputs)?.length ?? 0, tables.outputs.length);
    attempt(() => life.wants(1));
    atMost(0, request.flags + request.timeoutUs);
    atMost(life.inputCount * L.TENSOR_SIZE, blockBytes);
    for (let input = 0; input < life.inputCount; input++) {
      attempt(() => life.inputName(input));
      attempt(() => life.inputDatatype(input));
      atMost(attempt(() => life.inputShape(input))?.length ?? 0, L.MAX_DIMS);
      attempt(() => life.inputData(input, "input"));
    }
    attempt(() => request.inputs);
    attempt(() => request.trace);
    attempt(() => request.optionalInput("surprise")?.data);
  }
}

/** Both ends of a connection; a block is shown to `change` before the stub gets it. */
class ChangedConnection extends TestConnection {
  change: (buffer: ArrayBuffer, block: Place) => void = () => {};
  block: Place = { region: 0, offset: 0, bytes: 0 };

  constructor() {
    super(tables);
    const deliver = this.native.deliver.bind(this.native);
    this.native.deliver = (kind, flags, owner, block) => {
      this.block = block;
      this.change(this.native.region(block.region), block);
      deliver(kind, flags, owner, block);
    };
  }
}

test("a batch that a server wrote wrongly", () => {
  const there = new ChangedConnection();
  let read = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const random = randomNumbers(round);
    there.change = (buffer, block) => spoil(buffer, block, random);
    const batch = attempt(() => there.receive(requests).batch);
    if (batch === undefined) continue;
    read++;
    readAll(batch, there.block.bytes);
  }
  expect(read).toBeGreaterThan(ROUNDS / 10);
  expect(read).toBeLessThan(ROUNDS);
});

test("a batch that a model wrote over", () => {
  const there = new ChangedConnection();
  for (let round = 0; round < ROUNDS; round++) {
    const { batch } = there.receive(requests);
    spoil(there.native.region(there.block.region), there.block, randomNumbers(round));
    readAll(batch, there.block.bytes);
  }
});
