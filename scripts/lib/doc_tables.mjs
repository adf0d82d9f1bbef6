// SPDX-License-Identifier: Apache-2.0
// Tables in a Markdown page that are made by a program: they stand between `<!-- begin NAME -->` and `<!-- end NAME -->`.

/** Splits what the generator printed: a line `<!-- NAME -->` begins the table of that name. */
function tablesOf(printed) {
  const tables = new Map();
  let rows = [];
  for (const line of printed.split("\n")) {
    const name = /^<!-- (\w+) -->$/.exec(line)?.[1];
    if (name !== undefined) {
      rows = [];
      tables.set(name, rows);
    } else if (line !== "") {
      rows.push(line);
    }
  }
  return tables;
}

/** Cells padded to the width of their column, as formatters of Markdown like it. */
function aligned(rows) {
  const cells = rows.map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells.map((row) => {
    const padded = row.map((cell, column) =>
      /^-+$/.test(cell) ? "-".repeat(widths[column]) : cell.padEnd(widths[column]),
    );
    return `| ${padded.join(" | ")} |`;
  });
}

/** The page with its tables replaced. Throws when the page lacks the place of one. */
export function withTables(page, printed) {
  let result = page;
  for (const [name, rows] of tablesOf(printed)) {
    const [begin, end] = [`<!-- begin ${name} -->\n`, `<!-- end ${name} -->`];
    const from = result.indexOf(begin);
    const to = result.indexOf(end);
    if (from < 0 || to < from)
      throw new Error(`The page has no place for the table '${name}': ${begin.trim()} ... ${end}.`);
    result = `${result.slice(0, from + begin.length)}\n${aligned(rows).join("\n")}\n\n${result.slice(to)}`;
  }
  return result;
}
