// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import { eventData } from "./event_stream.ts";

async function read(parts: readonly Uint8Array[]): Promise<string[]> {
  const all: string[] = [];
  const source = (async function* () {
    yield* parts;
  })();
  for await (const data of eventData(source)) all.push(data);
  return all;
}

const bytes = (text: string) => new TextEncoder().encode(text);

it.each([
  ["events of Triton", 'data: {"a":1}\n\ndata: {"a":2}\n\n', ['{"a":1}', '{"a":2}']],
  ["other ends of lines", "data: a\r\n\r\ndata:b\r\rdata: c\n\r\n", ["a", "b", "c"]],
  ["other fields and comments", ": hello\nevent: x\nid: 7\ndata: a\n\nevent: y\n\n", ["a"]],
  ["data of several lines", "data: a\ndata:  b\n\n", ["a\n b"]],
  ["no end", "data: a\n\ndata: b", ["a"]],
  ["nothing", "", []],
  ["letters of several bytes", "data: wörter 👩‍🚀\n\n", ["wörter 👩‍🚀"]],
])("reads %s, however the bytes are cut", async (_name, text, expected) => {
  const all = bytes(text);
  expect(await read([all])).toEqual(expected);
  for (let at = 0; at <= all.length; at++)
    expect(await read([all.subarray(0, at), all.subarray(at)])).toEqual(expected);
  expect(await read(Array.from(all, (byte) => Uint8Array.of(byte)))).toEqual(expected);
});
