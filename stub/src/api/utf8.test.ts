// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { utf8, webUtf8 } from "./utf8.ts";

const web = webUtf8();
const TEXTS = ["", "plain", "wörter", "日本語", "👩‍🚀", "\ud800 alone", "\ufeffmark", "a\0b"];
const BYTES = [
  [],
  [0x41],
  [0xff, 0x41],
  [0xc3],
  [0xe3, 0x81],
  [0xed, 0xa0, 0x80],
  [0xef, 0xbb, 0xbf, 0x41],
  [0xf0, 0x9f],
];

describe("utf8", () => {
  it("is Node's where there is one", () => {
    expect(utf8.textBytes(new Uint8Array(3))).toBeInstanceOf(Buffer);
  });

  it.each(TEXTS)("of browsers measures, writes and reads %j as Node does", (text) => {
    const expected = Buffer.from(text, "utf8");
    expect([web.byteLength(text), utf8.byteLength(text)]).toEqual([expected.length, expected.length]);
    for (let room = 0; room <= expected.length + 2; room++) {
      const [own, nodes] = [new Uint8Array(room + 1), new Uint8Array(room + 1)];
      const written = web.textBytes(own).write(text, 1, "utf8");
      expect(written).toBe(utf8.textBytes(nodes).write(text, 1, "utf8"));
      expect(own).toEqual(nodes);
    }
    expect(web.textBytes(expected).toString("utf8")).toBe(expected.toString("utf8"));
    expect(web.isAscii(expected)).toBe(utf8.isAscii(expected));
  });

  it.each(BYTES)("of browsers reads %j as Node does", (...numbers) => {
    const bytes = Uint8Array.from(numbers as number[]);
    for (let end = 0; end <= bytes.length; end++) {
      expect(web.textBytes(bytes).toString("utf8", 0, end)).toBe(utf8.textBytes(bytes).toString("utf8", 0, end));
    }
    expect(web.isAscii(bytes)).toBe(utf8.isAscii(bytes));
  });
});
