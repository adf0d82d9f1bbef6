// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import type { CallContent } from "../api/caller.ts";
import { Tensor } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import { MeasuredCall, readCall } from "./call_record.ts";
import { makeRegion } from "./record.ts";

const a = new Tensor("A", Int16Array.of(1, 2), [2]);
const b = new Tensor("NAME_B", ["x"], [1, 1]);
const content: CallContent = {
  modelName: "model",
  modelVersion: -1,
  inputs: [a, b],
  requestedOutputs: ["OUT"],
  id: "id",
  correlationId: "sequence",
  flags: 3,
  timeoutUs: 2 ** 40,
  priority: 5n,
  parameters: { p: true },
  signal: undefined,
  trace: undefined,
};
const parent = { table: L.TABLE_BATCHES, index: 2, generation: 3, item: 4 };
const traced = { table: L.TABLE_BATCHES, index: 5, generation: 6, item: 7 };
const AT = 256;

/** A record that was written, and the region that it lies in. */
function write(asked = content) {
  const place = { region: 7, offset: 64, bytes: 5 };
  const call = new MeasuredCall(asked, (input) => (input === b ? place : undefined));
  const region = makeRegion(9, new ArrayBuffer(4096));
  region.u8.fill(0xff);
  call.write(region, AT, parent, traced);
  return { call, region, place };
}

test("what was written is read", () => {
  const { call, region, place } = write();
  const read = readCall(region, AT, AT + call.recordBytes);
  expect(read).toMatchObject({ modelName: "model", modelVersion: -1, id: "id", correlationId: "sequence", flags: 3 });
  expect(read).toMatchObject({ timeoutUs: 2 ** 40, priority: 5, parameters: { p: true }, parent });
  expect(read.trace).toEqual(traced);
  expect(read.requestedOutputs).toEqual(["OUT"]);
  const data = { region: 9, offset: AT + call.recordBytes, bytes: 4 };
  expect(read.inputs).toMatchObject([
    { name: "A", dtype: { name: "INT16" }, shape: [2], place: data },
    { name: "NAME_B", dtype: { name: "BYTES" }, shape: [1, 1], place },
  ]);
  expect(new Int16Array(region.buffer, data.offset, 2)).toEqual(a.data);
  expect([call.recordBytes % L.DATA_ALIGNMENT, call.dataBytes]).toEqual([0, L.DATA_ALIGNMENT]);
});

test("names are read as they were written, of whatever letters and length, also when there are many of them", () => {
  const names = ["é", "\u{1f600}", "x".repeat(23), "x".repeat(24), "x".repeat(25), "y".repeat(300), "z\u0080"];
  for (let i = 0; i < 2100; i++) names.push(`name ${i % 1050}`);
  for (const name of names) {
    const { call, region } = write({
      ...content,
      modelName: name,
      inputs: [a.renamed(name)],
      requestedOutputs: [name],
    });
    const read = readCall(region, AT, AT + call.recordBytes);
    expect([read.modelName, read.requestedOutputs, read.inputs[0]!.name]).toEqual([name, [name], name]);
  }
});

test("every word of the head is written", () => {
  const { region } = write({ ...content, correlationId: 2n ** 64n - 1n });
  // By hand, in the order of the struct.
  expect(region.u32[AT / 4 + 1]).toBe(3);
  expect([...region.u32.subarray(AT / 4 + 2, AT / 4 + 6)]).toEqual([1, 2, 3, 4]);
  expect([...region.u32.subarray(AT / 4 + 6, AT / 4 + 10)]).toEqual([1, 5, 6, 7]);
  expect([...region.i64.subarray(AT / 8 + 5, AT / 8 + 6)]).toEqual([-1n]);
  expect([...region.u64.subarray(AT / 8 + 6, AT / 8 + 9)]).toEqual([2n ** 64n - 1n, 2n ** 40n, 5n]);
  expect([...region.u32.subarray(AT / 4 + 28, AT / 4 + 30)]).toEqual([2, 0]);
});

test("a record that does not end where it should is refused", () => {
  const { call, region } = write();
  expect(() => readCall(region, AT, AT + call.recordBytes - 1)).toThrow("wrote over the memory");
  region.u32[(AT + L.CALL_REQUESTED_COUNT) / 4] = 1000;
  expect(() => readCall(region, AT, AT + call.recordBytes)).toThrow("wrote over the memory");
});
