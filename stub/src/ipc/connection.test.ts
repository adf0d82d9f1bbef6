// SPDX-License-Identifier: Apache-2.0
import { beforeEach, expect, test, vi } from "vitest";
import * as L from "../protocol/layout.gen.ts";
import { Connection } from "./connection.ts";
import { MemoryHost } from "./memory_host.ts";
import { MemoryNative } from "./memory_native.ts";

const tables = { inputs: [], outputs: [] };
let native: MemoryNative;
let connection: Connection;
/** What the stub was told. */
let heard: unknown[];
beforeEach(() => {
  native = new MemoryNative();
  heard = [];
  const handlers = {
    onBatch: () => heard.push("batch"),
    onStep: (step: string, payload: unknown) => heard.push([step, payload]),
    onIdle: () => heard.push("idle"),
    onBroken: (error: unknown) => heard.push((error as Error).message),
  };
  connection = new Connection(handlers, native);
});

test("a step is done when it is replied to", () => {
  const replies: unknown[] = [];
  native.server = { onEntry: () => {}, onReply: (...reply) => replies.push(reply) };
  native.deliverFrame({ method: L.METHOD_LOAD, call: 3, isReply: false, region: 0, payload: '{"a":1}' });
  native.noteIdle();
  expect(heard).toEqual([["load", { a: 1 }], "idle"]);
  connection.answerStep("load", { config: null });
  expect(replies).toEqual([[L.METHOD_LOAD, 3, '{"config":null}']]);
});

test("a protection that fails leaves a warning", () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  connection.hideMemory();
  expect(warn).not.toHaveBeenCalled();
  vi.spyOn(native, "hideMemory").mockReturnValue(false);
  connection.hideMemory();
  expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("'protect-memory' has no effect"));
  warn.mockRestore();
});

test("a client's region that the server forgets is gone", () => {
  const region = native.lend(new Uint8Array(64));
  native.deliverFrame({ method: L.METHOD_FORGET_REGION, call: 0, isReply: false, region, payload: "" });
  expect(() => native.region(region)).toThrow("never announced");
});

test("while a batch is executed, the addon knows that the model is busy", () => {
  const busy = new Uint32Array(native.busy);
  connection.begin();
  expect(busy[0]).toBe(1);
  expect(connection.settle()).toBe(false);
  expect(busy[0]).toBe(0);
});

test("what cannot be sent by itself breaks the connection", () => {
  native.noteBroken(new Error("Could not send."));
  expect(heard).toEqual(["Could not send."]);
});

test("a batch before the model is initialized, and one that cannot be read, break the connection", () => {
  const host = new MemoryHost(native, tables);
  host.execute([{}]);
  expect(heard).toEqual(["The server sent a batch before the model was initialized."]);
  connection.configure({
    tables,
    strictViews: false,
    makeExchange: () => {
      throw new Error("unused");
    },
    onUnsendable: (error) => {
      throw error;
    },
  });
  host.execute([{}]);
  native.deliver(
    L.ENTRY_EXECUTE,
    0,
    { table: 1, index: 0, generation: 1, item: 0 },
    { region: 99, offset: 0, bytes: 64 },
  );
  expect(heard.slice(1)).toEqual(["batch", "The server named a region that it never announced."]);
});
