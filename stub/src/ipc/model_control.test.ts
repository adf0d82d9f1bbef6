// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import { ModelControl } from "./model_control.ts";
import { makeRegion, type Place } from "./record.ts";
import type { ShimCalls } from "./shim_calls.ts";

const REGION = 5;

function make(room = 1 << 16) {
  const region = makeRegion(REGION, new ArrayBuffer(room));
  const freed: Place[] = [];
  const open: { method: string; payload: Record<string, unknown>; reply(value: object): void }[] = [];
  let used = 0;
  const memory = {
    allocate(bytes: number) {
      if (used + bytes > room) throw new Error("no room");
      used += bytes;
      return { region: REGION, offset: used - bytes, bytes };
    },
    region: () => region,
  };
  const calls = {
    call: (method: string, payload: Record<string, unknown>) =>
      new Promise((resolve) => open.push({ method, payload, reply: resolve })),
  };
  const control = new ModelControl(calls as unknown as ShimCalls, memory, (block) => freed.push(block));
  return { control, open, freed, bytes: region.u8 };
}

/** Lets promises that can be settled be so. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

it("copies files at once, and frees them when the model is loaded", async () => {
  const { control, open, freed, bytes } = make();
  const data = Uint8Array.of(1, 2, 3);
  const load = control.load("m", "{}", [
    { path: "a", data },
    { path: "none", data: new Uint8Array() },
    { path: "b", data: Buffer.from("xy") },
  ]);
  data.fill(9);
  await turn();
  expect([...bytes.subarray(0, 5)]).toEqual([1, 2, 3, 120, 121]);
  const [a, b] = [
    { region: REGION, offset: 0, bytes: 3 },
    { region: REGION, offset: 3, bytes: 2 },
  ];
  const files = [
    { path: "a", ...a },
    { path: "none", region: 0, offset: 0, bytes: 0 },
    { path: "b", ...b },
  ];
  expect(open.map(({ method, payload }) => [method, payload])).toEqual([
    ["modelLoad", { name: "m", config: "{}", files }],
  ]);
  expect(freed).toEqual([]);
  open[0]!.reply({});
  await load;
  expect(freed).toEqual([a, b]);
});

it("frees what is written when there is no room for the rest, and calls nobody", async () => {
  const { control, open, freed } = make(8);
  const files = [
    { path: "a", data: new Uint8Array(8) },
    { path: "b", data: new Uint8Array(1) },
  ];
  await expect(control.load("m", undefined, files)).rejects.toThrow("no room");
  expect(freed).toEqual([{ region: REGION, offset: 0, bytes: 8 }]);
  expect(open).toEqual([]);
});

it("leaves room for calls that are short", async () => {
  const { control, open } = make();
  const loads = Array.from({ length: 20 }, (_, i) => control.load(`${i}`, undefined, []));
  await turn();
  expect(open).toHaveLength(16);
  const ready = control.isReady("m", "-1");
  open[16]!.reply({ ready: true });
  expect(await ready).toBe(true);
  for (let i = 0; i < 21; i++) {
    open[i]!.reply({});
    await turn();
  }
  await Promise.all(loads);
  expect(open.filter(({ method }) => method === "modelLoad").map(({ payload }) => payload.name)).toEqual(
    loads.map((_, i) => `${i}`),
  );
  void control.unload("m", false, false);
  expect(open).toHaveLength(22);
});

it("asks until a model is gone, for who waits for that", async () => {
  const { control, open } = make();
  let isOver = false;
  const unload = control.unload("m", true, true).then(() => {
    isOver = true;
  });
  const next = async (method: string, payload: object, reply: object) => {
    await expect.poll(() => open.length).toBe(1);
    const call = open.shift()!;
    expect([call.method, call.payload]).toEqual([method, payload]);
    call.reply(reply);
  };
  await next("modelUnload", { name: "m", dependents: true, wait: true }, {});
  await next("modelGone", { name: "m" }, { gone: false });
  await next("modelGone", { name: "m" }, { gone: false });
  expect(isOver).toBe(false);
  await next("modelGone", { name: "m" }, { gone: true });
  await unload;
  expect(open).toEqual([]);
});
