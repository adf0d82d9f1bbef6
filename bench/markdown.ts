// SPDX-License-Identifier: Apache-2.0
// The Markdown that the page is made of.

export type Row = readonly string[];

/** A Markdown table; all columns but the first are aligned to the right, where figures belong. */
export function table(head: Row, rows: readonly Row[], others: "left" | "right" = "right"): string {
  const line = (cells: Row) => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, i) => (i === 0 || others === "left" ? "---" : "---:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

/** Head of a column, and what stands there in the row of an entry. */
export type Column<Entry> = readonly [head: string, text: (entry: Entry) => string];

export function columns<Entry>(entries: readonly Entry[], all: readonly Column<Entry>[]): string {
  return table(
    all.map(([head]) => head),
    entries.map((entry) => all.map(([, text]) => text(entry))),
  );
}
