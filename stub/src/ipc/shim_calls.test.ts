// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import { isDefect, type TritonError } from "../api/errors.ts";
import * as L from "../protocol/layout.gen.ts";
import { ShimCalls } from "./shim_calls.ts";

const METHOD = L.METHOD_MODEL_READY;

function make(callNow: (method: number, call: number, payload: string) => string = () => "{}") {
  const sent: { method: number; call: number; payload: string }[] = [];
  const use: boolean[] = [];
  const native = {
    call: (method: number, call: number, payload: string) => {
      sent.push({ method, call, payload });
    },
    callNow,
  };
  const calls = new ShimCalls(native, (isInUse) => use.push(isInUse));
  const ask = (name: string) => calls.call("modelReady", { name, version: "-1" });
  const reply = (call: number, payload: string) => calls.onReply({ method: METHOD, call, payload });
  return { calls, ask, reply, sent, use };
}

it("gives each reply to its call, in any order, and says while any is open", async () => {
  const { ask, reply, sent, use } = make();
  const [first, second] = [ask("a"), ask("b")];
  expect(sent).toEqual([
    { method: METHOD, call: 1, payload: '{"name":"a","version":"-1"}' },
    { method: METHOD, call: 2, payload: '{"name":"b","version":"-1"}' },
  ]);
  reply(2, '{"ready":false}');
  expect(use).toEqual([true]);
  reply(1, '{"ready":true}');
  expect(use).toEqual([true, false]);
  expect(await Promise.all([first, second])).toEqual([{ ready: true }, { ready: false }]);
});

it("rejects with the error that a reply holds", async () => {
  const { ask, reply } = make();
  const [known, unknown] = [ask("a"), ask("b")];
  reply(1, '{"error":{"code":"UNAVAILABLE","message":"Server not ready"}}');
  reply(2, '{"error":{"code":"NEW","message":"of a later server"}}');
  await expect(known).rejects.toMatchObject({ code: "UNAVAILABLE", message: "Server not ready" });
  await expect(unknown).rejects.toMatchObject({ code: "INTERNAL", message: "of a later server" });
});

it("refuses replies that belong to no call", () => {
  const { calls, ask, reply } = make();
  void ask("a");
  expect(() => reply(2, "{}")).toThrow("call 2) that nobody asked for");
  expect(() => calls.onReply({ method: METHOD + 1, call: 1, payload: "{}" })).toThrow("that nobody asked for");
  reply(1, "{}");
  expect(() => reply(1, "{}")).toThrow("call 1) that nobody asked for");
});

it("has no more calls open than the server takes, and one place for a call that is waited for", async () => {
  const { calls, ask, reply, sent } = make();
  const all = Array.from({ length: L.MAX_SHIM_CALLS + 10 }, (_, i) => ask(`${i}`));
  expect(sent).toHaveLength(L.MAX_SHIM_CALLS - 1);
  expect(calls.callNow("modelReady", { name: "now", version: "-1" })).toEqual({});
  for (let i = 0; i < all.length; i++) {
    const next = sent[i]!;
    expect(JSON.parse(next.payload).name).toBe(`${i}`);
    reply(next.call, `{"ready":${i}}`);
  }
  expect(sent).toHaveLength(all.length);
  expect((await Promise.all(all)).map(({ ready }) => ready)).toEqual(all.map((_, i) => i));
});

it("blocks for a call that is waited for, whose id no other one has", () => {
  const seen: unknown[] = [];
  const { calls, ask } = make((...frame) => {
    seen.push(frame);
    return '{"ready":true}';
  });
  void ask("a");
  expect(calls.callNow("modelReady", { name: "m", version: "3" })).toEqual({ ready: true });
  expect(seen).toEqual([[METHOD, 2, '{"name":"m","version":"3"}']]);
  const failing = make(() => '{"error":{"code":"NOT_FOUND","message":"no"}}');
  expect(() => failing.calls.callNow("modelReady", { name: "m", version: "" })).toThrow(
    expect.objectContaining({ code: "NOT_FOUND", message: "no" }),
  );
});

it("takes the server's INVALID_ARG for a mistake of the model, and nothing else", async () => {
  const { ask, reply } = make();
  const codes = ["INVALID_ARG", "UNAVAILABLE"];
  const errors = codes.map(() => ask("m").catch((error: unknown) => error));
  for (const [i, code] of codes.entries()) reply(i + 1, JSON.stringify({ error: { code, message: "no" } }));
  const found = await Promise.all(errors);
  expect(found.map((error) => (error as TritonError).code)).toEqual(codes);
  expect(found.map(isDefect)).toEqual([true, false]);
});

it("refuses what is too large, and goes on", async () => {
  const { calls, ask, sent } = make();
  const name = "x".repeat(L.MAX_CALL_PAYLOAD_BYTES);
  await expect(ask(name)).rejects.toThrow(`must take at most ${L.MAX_CALL_PAYLOAD_BYTES} bytes as JSON, but takes`);
  expect(() => calls.callNow("modelReady", { name, version: "" })).toThrow("bytes as JSON");
  // Bytes, not characters.
  const accents = "é".repeat(L.MAX_CALL_PAYLOAD_BYTES / 2);
  await expect(ask(accents)).rejects.toMatchObject({ code: "INTERNAL" });
  void ask("small");
  expect(sent).toHaveLength(1);
});

it("rejects a call that cannot be sent, and sends the next one", async () => {
  let broken = true;
  const calls = new ShimCalls({
    call: () => {
      if (broken) throw new Error("The control channel is broken");
    },
    callNow: () => "{}",
  });
  await expect(calls.call("modelReady", { name: "a", version: "" })).rejects.toThrow("is broken");
  broken = false;
  const next = calls.call("modelReady", { name: "b", version: "" });
  calls.onReply({ method: METHOD, call: 2, payload: '{"ready":true}' });
  expect(await next).toEqual({ ready: true });
});
