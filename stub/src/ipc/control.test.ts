// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import * as L from "../protocol/layout.gen.ts";
import { Control, type Frame } from "./control.ts";

function make() {
  const seen: unknown[] = [];
  const control = new Control(
    {
      reply: (...frame) => seen.push(["reply", ...frame]),
      call: (...frame) => seen.push(["call", ...frame]),
      callNow: () => "{}",
    },
    {
      onStep: (step, payload) => seen.push([step, payload]),
      onCheckReady: (reply) => reply({ ready: false, reason: "why" }),
      onForgetRegion: (region) => seen.push(["forget", region]),
    },
  );
  return { control, seen };
}

function frame(method: keyof typeof L.METHODS, more: Partial<Frame> = {}): Frame {
  return { method: L.METHODS[method].number, call: 0, isReply: false, region: 0, payload: "", ...more };
}

it("hands each method to its handler, and replies to the call it came with", () => {
  const { control, seen } = make();
  control.onFrame(frame("load", { call: 7, payload: '{"a":1}' }));
  control.onFrame(frame("forgetRegion", { region: 9 }));
  control.onFrame(frame("checkReady", { call: 3 }));
  control.onFrame(frame("finalize", { call: 8 }));
  control.reply("finalize", {});
  control.reply("load", { config: null });
  expect(seen).toEqual([
    ["load", { a: 1 }],
    ["forget", 9],
    ["reply", L.METHOD_CHECK_READY, 3, '{"ready":false,"reason":"why"}'],
    ["finalize", undefined],
    ["reply", L.METHOD_FINALIZE, 8, "{}"],
    ["reply", L.METHOD_LOAD, 7, '{"config":null}'],
  ]);
});

it("has a handler for each method of the stub that the addon does not deal with", () => {
  const { control } = make();
  const own = new Set(["hello", "region", "clientRegion"]);
  for (const [name, { stub }] of Object.entries(L.METHODS)) {
    if (!stub || own.has(name)) continue;
    expect(() => control.onFrame(frame(name as keyof typeof L.METHODS, { payload: "{}" }))).not.toThrow();
  }
});

it("refuses what it does not know", () => {
  const { control } = make();
  expect(() => control.onFrame(frame("load", { method: 4711 }))).toThrow("unknown method 4711");
  // A reply to a call that the stub never made, and one of another method than the call.
  expect(() => control.onFrame(frame("load", { isReply: true, call: 3 }))).toThrow("call 3) that nobody asked for");
  expect(() => control.reply("load", {})).toThrow("did not ask for the step 'load'");
});

it("gives replies to the calls of the server", async () => {
  const { control, seen } = make();
  const ready = control.calls.call("modelReady", { name: "m", version: "-1" });
  expect(seen).toEqual([["call", L.METHOD_MODEL_READY, 1, '{"name":"m","version":"-1"}']]);
  control.onFrame(frame("modelReady", { isReply: true, call: 1, payload: '{"ready":true}' }));
  expect(await ready).toEqual({ ready: true });
});

it("keeps a step open whose reply is no JSON", () => {
  const { control, seen } = make();
  const circle: { self?: unknown } = {};
  circle.self = circle;
  control.onFrame(frame("load", { call: 7 }));
  expect(() => control.reply("load", circle)).toThrow();
  control.reply("load", { error: { code: "INTERNAL", message: "no JSON" } });
  expect(seen).toHaveLength(2);
});
