// SPDX-License-Identifier: Apache-2.0
// One picture of the cells: backend time above the floor, python_backend being 1. Plain SVG, no library.

import { aboveFloor } from "./identity.ts";
import { figure } from "./numbers.ts";
import { AIMS, type Results } from "./results.ts";
import { SUBJECTS, type SubjectName } from "./subjects.ts";

const LEFT = 110;
const UNIT = 520;
const BAR = 14;
const GAP = 14;
const TOP = 56;
const COLOURS: Partial<Record<SubjectName, string>> = { typescript: "#3178c6", typescript_allocate: "#8fb8e6" };

function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${x}" y="${y}" ${attributes}>${content}</text>`;
}

function mark(value: number, bottom: number, label: string): string {
  const x = LEFT + value * UNIT;
  return (
    `<line x1="${x}" x2="${x}" y1="${TOP - 8}" y2="${bottom}" stroke="#888" stroke-dasharray="4 3"/>` +
    text(x, TOP - 14, label, 'text-anchor="middle" fill="#555"')
  );
}

/** An SVG document, or undefined when the run has no such ratios. */
export function chart(results: Results): string | undefined {
  const names = results.subjects.filter((name) => COLOURS[name] !== undefined);
  const rows: string[] = [];
  let y = TOP;
  for (const cell of results.identity ?? []) {
    const bars = names.flatMap((name) => {
      const share = aboveFloor(cell, name)?.median;
      return share === undefined ? [] : [{ name, share }];
    });
    if (bars.length === 0) continue;
    const middle = y + (bars.length * BAR) / 2 + 4;
    rows.push(text(LEFT - 10, middle, `${cell.size.label} x ${cell.concurrency}`, 'text-anchor="end"'));
    for (const { name, share } of bars) {
      // A bar that would leave the picture ends at its edge; its figure stands beside it.
      const width = Math.max(1, Math.min(share, 1.2) * UNIT);
      rows.push(`<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR - 2}" fill="${COLOURS[name]}"/>`);
      rows.push(text(LEFT + width + 6, y + 10, figure(share), 'font-size="11" fill="#333"'));
      y += BAR;
    }
    y += GAP;
  }
  if (rows.length === 0) return undefined;
  const legend = names.map(
    (name, i) =>
      `<rect x="${LEFT + i * 230}" y="${y + 4}" width="12" height="12" fill="${COLOURS[name]}"/>` +
      text(LEFT + 18 + i * 230, y + 14, SUBJECTS[name].title),
  );
  const height = y + 30;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="800" height="${height}" viewBox="0 0 800 ${height}" font-family="sans-serif" font-size="13">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    text(
      LEFT,
      20,
      "Backend time above the floor, as a share of python_backend's (shorter is faster)",
      'font-weight="bold"',
    ),
    mark(AIMS.aboveFloor, y - GAP, `aim ${AIMS.aboveFloor}`),
    mark(1, y - GAP, "python_backend"),
    ...rows,
    ...legend,
    "</svg>",
    "",
  ].join("\n");
}
