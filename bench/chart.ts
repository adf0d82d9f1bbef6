// SPDX-License-Identifier: Apache-2.0
// Two pictures of the identity cells: backend time above the floor, and throughput. Plain SVG, no library.

import { aboveFloor, type IdentityCell, type IdentityFigures, overFloor, type Ratio } from "./identity_cells.ts";
import { PYTHON } from "./models.ts";
import { figure, median } from "./numbers.ts";
import type { Picture } from "./part.ts";

const WIDTH = 860;
const LEFT = 170;
const BAR = 14;
const GAP = 14;
const TOP = 62;
/** Of those who are shown. */
const COLOURS: Readonly<Record<string, string>> = {
  [PYTHON]: "#d9a441",
  typescript: "#3178c6",
  "typescript, allocateOutput": "#8fb8e6",
};

interface BarChart {
  file: string;
  title: string;
  ratio: Ratio;
  /** The value that the right edge of the bars stands for; longer ones are cut there. */
  edge: number;
  /** Upright lines across all bars. */
  marks: readonly (readonly [value: number, label: string])[];
}

const CHARTS: readonly BarChart[] = [
  {
    file: "performance.svg",
    title: "Backend time above the floor, as a share of python_backend's (shorter is faster)",
    // python_backend itself is the mark at 1.
    ratio: (cell, title) => (title === PYTHON ? [] : aboveFloor(cell, title)),
    edge: 1.1,
    marks: [
      [0.25, "aim to 64 KiB"],
      [0.35, "aim above"],
      [1, "python_backend"],
    ],
  },
  {
    file: "performance_throughput.svg",
    title: "Throughput, as a share of the floor's (longer is faster)",
    ratio: overFloor("throughput"),
    edge: 1.2,
    marks: [
      [0.6, "aim above 64 KiB"],
      [0.8, "aim to 64 KiB"],
      [1, "floor"],
    ],
  },
];

const text = (x: number, y: number, content: string, attributes = "") =>
  `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${content}</text>`;

const swatch = (x: number, y: number, width: string | number, height: number, title: string) =>
  `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${COLOURS[title]}"/>`;

/** Nothing when no cell has a bar. */
function draw({ file, title, ratio, edge, marks }: BarChart, cells: readonly IdentityCell[]): Picture[] {
  const unit = (WIDTH - LEFT - 70) / edge;
  const rows: string[] = [];
  const shown = new Set<string>();
  let y = TOP;
  for (const cell of cells) {
    const bars = Object.keys(COLOURS).flatMap((who) =>
      ratio(cell, who).length > 0 ? [[who, median(ratio(cell, who))] as const] : [],
    );
    if (bars.length === 0) continue;
    rows.push(text(LEFT - 10, y + (bars.length * BAR) / 2 + 4, cell.label, 'text-anchor="end"'));
    for (const [who, value] of bars) {
      shown.add(who);
      const width = Math.max(1, Math.min(value, edge) * unit);
      rows.push(swatch(LEFT, y, width.toFixed(1), BAR - 2, who));
      rows.push(text(LEFT + width + 6, y + 10, figure(value), 'font-size="11" fill="#333"'));
      y += BAR;
    }
    y += GAP;
  }
  if (rows.length === 0) return [];
  const lines = marks.map(([value, label], i) => {
    const x = (LEFT + value * unit).toFixed(1);
    // Labels of neighbours stand on two lines, so that they do not cover each other.
    const labelY = TOP - 8 - (i % 2) * 14;
    const line = `<line x1="${x}" x2="${x}" y1="${TOP - 6}" y2="${y - GAP}" stroke="#888" stroke-dasharray="4 3"/>`;
    return line + text(Number(x), labelY, label, 'text-anchor="middle" fill="#555" font-size="11"');
  });
  const legend = [...shown].map(
    (who, i) => swatch(LEFT + i * 210, y + 4, 12, 12, who) + text(LEFT + 18 + i * 210, y + 14, who),
  );
  const height = y + 30;
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    text(LEFT, 20, title, 'font-weight="bold"'),
    ...lines,
    ...rows,
    ...legend,
    "</svg>",
    "",
  ].join("\n");
  return [{ file, alt: title, svg }];
}

export const charts = ({ cells }: IdentityFigures): Picture[] => CHARTS.flatMap((chart) => draw(chart, cells));
