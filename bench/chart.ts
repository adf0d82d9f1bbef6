// SPDX-License-Identifier: Apache-2.0
// Two pictures of the identity cells: backend time above the floor, and throughput. Plain SVG, no library.

import { aboveFloor, type Cell, type IdentityFigures, label, throughputOver } from "./identity_cells.ts";
import { figure, type Spread } from "./numbers.ts";
import type { Picture } from "./part.ts";
import { SUBJECTS, type SubjectName } from "./subjects.ts";

const WIDTH = 860;
const LEFT = 170;
const BAR = 14;
const GAP = 14;
const TOP = 62;
const COLOURS: Readonly<Record<SubjectName, string>> = {
  floor: "#9a9a9a",
  python: "#d9a441",
  typescript: "#3178c6",
  typescript_allocate: "#8fb8e6",
};

interface BarChart {
  title: string;
  subjects: readonly SubjectName[];
  ratio(cell: Cell, name: SubjectName): Spread | undefined;
  /** The value that the right edge of the bars stands for; longer ones are cut there. */
  edge: number;
  /** Upright lines across all bars. */
  marks: readonly { value: number; label: string }[];
}

function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${content}</text>`;
}

function draw(chart: BarChart, cells: readonly Cell[]): string | undefined {
  const unit = (WIDTH - LEFT - 70) / chart.edge;
  const rows: string[] = [];
  const shown = new Set<SubjectName>();
  let y = TOP;
  for (const cell of cells) {
    const bars = chart.subjects.flatMap((name) => {
      const value = chart.ratio(cell, name)?.median;
      return value === undefined ? [] : [{ name, value }];
    });
    if (bars.length === 0) continue;
    rows.push(text(LEFT - 10, y + (bars.length * BAR) / 2 + 4, label(cell), 'text-anchor="end"'));
    for (const { name, value } of bars) {
      shown.add(name);
      const width = Math.max(1, Math.min(value, chart.edge) * unit);
      rows.push(`<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR - 2}" fill="${COLOURS[name]}"/>`);
      rows.push(text(LEFT + width + 6, y + 10, figure(value), 'font-size="11" fill="#333"'));
      y += BAR;
    }
    y += GAP;
  }
  if (rows.length === 0) return undefined;
  const marks = chart.marks.map((mark, i) => {
    const x = LEFT + mark.value * unit;
    // Labels of neighbours stand on two lines, so that they do not cover each other.
    const labelY = TOP - 8 - (i % 2) * 14;
    const line = `<line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${TOP - 6}" y2="${y - GAP}" stroke="#888" stroke-dasharray="4 3"/>`;
    return line + text(x, labelY, mark.label, 'text-anchor="middle" fill="#555" font-size="11"');
  });
  const legend = [...shown].map(
    (name, i) =>
      `<rect x="${LEFT + i * 210}" y="${y + 4}" width="12" height="12" fill="${COLOURS[name]}"/>` +
      text(LEFT + 18 + i * 210, y + 14, SUBJECTS[name].title),
  );
  const height = y + 30;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    text(LEFT, 20, chart.title, 'font-weight="bold"'),
    ...marks,
    ...rows,
    ...legend,
    "</svg>",
    "",
  ].join("\n");
}

const TIME: BarChart = {
  title: "Backend time above the floor, as a share of python_backend's (shorter is faster)",
  subjects: ["typescript", "typescript_allocate"],
  ratio: aboveFloor,
  edge: 1.1,
  marks: [
    { value: 0.25, label: "aim to 64 KiB" },
    { value: 0.35, label: "aim above" },
    { value: 1, label: "python_backend" },
  ],
};

const THROUGHPUT: BarChart = {
  title: "Throughput, as a share of the floor's (longer is faster)",
  subjects: ["python", "typescript", "typescript_allocate"],
  ratio: (cell, name) => throughputOver(cell, name, "floor"),
  edge: 1.2,
  marks: [
    { value: 0.6, label: "aim above 64 KiB" },
    { value: 0.8, label: "aim to 64 KiB" },
    { value: 1, label: "floor" },
  ],
};

export function charts({ cells }: IdentityFigures): Picture[] {
  return [
    { file: "performance.svg", chart: TIME },
    { file: "performance_throughput.svg", chart: THROUGHPUT },
  ].flatMap(({ file, chart }) => {
    const svg = draw(chart, cells);
    return svg === undefined ? [] : [{ file, alt: chart.title, svg }];
  });
}
