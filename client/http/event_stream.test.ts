// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import { collect, failure } from "../testing/calls.ts";
import { eventData } from "./event_stream.ts";

const subject = { host: "here", task: "run model 'm'", model: "m" };

function read(parts: Iterable<Uint8Array>, maxBytes?: number): Promise<string[]> {
  const source = (async function* () {
    yield* parts;
  })();
  return collect(eventData(subject, source, maxBytes));
}

function* cut(all: Uint8Array, byteLength: number): Generator<Uint8Array> {
  for (let at = 0; at < all.length; at += byteLength) yield all.subarray(at, at + byteLength);
}

const bytes = (text: string) => new TextEncoder().encode(text);

it.each([
  ["events of Triton", 'data: {"a":1}\n\ndata: {"a":2}\n\n', ['{"a":1}', '{"a":2}']],
  ["other ends of lines", "data: a\r\n\r\ndata:b\r\rdata: c\n\r\n", ["a", "b", "c"]],
  ["other fields and comments", ": hello\nevent: x\nid: 7\ndata: a\n\nevent: y\n\n", ["a"]],
  ["data of several lines", "data: a\ndata:  b\n\n", ["a\n b"]],
  ["no end", "data: a\n\ndata: b", ["a"]],
  ["nothing", "", []],
  ["a line's end that is the last of all", "data: a\n\r", ["a"]],
  ["an event behind two ends of lines", "data: a\r\n\r\n\r\ndata: b\n\n", ["a", "b"]],
  ["letters of several bytes", "data: wörter 👩‍🚀\n\n", ["wörter 👩‍🚀"]],
])("reads %s, however the bytes are cut", async (_name, text, expected) => {
  const all = bytes(text);
  expect(await read([all])).toEqual(expected);
  for (let at = 0; at <= all.length; at++)
    expect(await read([all.subarray(0, at), all.subarray(at)])).toEqual(expected);
  expect(await read(cut(all, 1))).toEqual(expected);
});

// What looks at all that came again with each part takes longer than a test may.
it.each([
  ["20 MB in parts of 64 KiB", 20_000_000, 65_536],
  ["300 kB in parts of a byte", 300_000, 1],
])("reads an event of %s", async (_name, length, partBytes) => {
  const text = "x".repeat(length);
  expect((await read(cut(bytes(`data: ${text}\n\ndata: y\n\n`), partBytes))).map(({ length }) => length)).toEqual([
    length,
    1,
  ]);
});

it("reads many short lines in one part", async () => {
  expect((await read([bytes("data: x\n\n".repeat(200_000))])).length).toBe(200_000);
});

it.each([
  ["a line without end", "data: 456789", 11],
  ["an event of many lines", "data:\ndata:\ndata:", 16],
  ["a comment without end", `:${"x".repeat(100)}`, 100],
])("refuses %s when it is too long", async (_name, text, maxBytes) => {
  for (const parts of [[bytes(text)], cut(bytes(text), 1)]) {
    const error = await failure(read(parts, maxBytes));
    expect(error).toMatchObject({ reason: "PROTOCOL", host: "here", model: "m" });
    expect(error.message).toContain(`an event of ${maxBytes + 1} bytes or more came, but one may have ${maxBytes}`);
  }
  expect(await read([bytes(text)], maxBytes + 1)).toEqual([]);
});

it("has a limit for each event, not for all of them", async () => {
  expect(await read([bytes(`data: a\n: ${"x".repeat(7)}\ndata: b\n\n`.repeat(3))], 20)).toEqual([
    "a\nb",
    "a\nb",
    "a\nb",
  ]);
});

it("takes no more than 64 MiB of an event", async () => {
  const part = new Uint8Array(1024 * 1024).fill(120);
  let taken = 0;
  const endless = (function* () {
    for (; taken < 100; taken++) yield part;
  })();
  expect((await failure(read(endless))).reason).toBe("PROTOCOL");
  expect(taken).toBe(64);
});
