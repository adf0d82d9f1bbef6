// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import { withTables } from "./doc_tables.mjs";

const PRINTED = "<!-- kinds -->\n| a | b |\n| --- | --- |\n| `LONG` | x |\n";

it("puts each table between its marks and leaves the rest of the page alone", () => {
  const page = "before\n\n<!-- begin kinds -->\nold\n<!-- end kinds -->\n\nafter\n";
  const wanted =
    "before\n\n<!-- begin kinds -->\n\n| a      | b   |\n| ------ | --- |\n| `LONG` | x   |\n\n<!-- end kinds -->\n\nafter\n";
  expect(withTables(page, PRINTED)).toBe(wanted);
  expect(withTables(wanted, PRINTED)).toBe(wanted);
});

it("says which table has no place", () => {
  expect(() => withTables("a page", PRINTED)).toThrow("no place for the table 'kinds'");
});
