// SPDX-License-Identifier: Apache-2.0
// The pipeline `ocr` twice on one server: as an ensemble, and as one model that calls the networks. About two minutes with
// five rounds.

import path from "node:path";
import { packageRoot } from "../server/package_root.ts";
import { disagreements, pictureNames, readPictureFile, readTruth } from "../test/ocr/accuracy.ts";
import { serverReader } from "../test/ocr/server_reader.ts";
import { type Cell, inRounds, over, series } from "./grid.ts";
import { columns } from "./markdown.ts";
import { figure, withSpread } from "./numbers.ts";
import { type OcrSample, timeServer } from "./ocr.ts";
import type { Part, PartContext } from "./part.ts";
import type { Server } from "./server.ts";
import { finding, verdict } from "./verdict.ts";

const CALLERS = 4;
const ENSEMBLE = { title: "ensemble `ocr`", model: "ocr" };
const CALLS = { title: "`ocr_bls`", model: "ocr_bls" };

/** At least so many times the ensemble's pictures a second. */
const SETS = [
  { label: "pictures with text", hasText: true, passes: 1, aim: 0.95 },
  { label: "pictures without text", hasText: false, passes: 8, aim: 1 },
];

export type OcrBlsFigures = Cell<OcrSample>[];

async function measure(context: PartContext, server: Server): Promise<OcrBlsFigures> {
  const readers = new Map(
    [ENSEMBLE, CALLS].map(({ title, model }) => [title, serverReader(server.client.host, model)]),
  );
  const truth = readTruth();
  for (const name of pictureNames()) {
    const [lines, others] = await Promise.all([...readers.values()].map((read) => read(readPictureFile(name))));
    const differences = disagreements(others!, lines!);
    if (differences.length > 0) throw new Error(`Both read ${name} differently: ${differences.join("; ")}.`);
  }
  const cells = SETS.map(({ label, hasText, passes }) => {
    const names = pictureNames().filter((name) => truth[name]!.lines.length > 0 === hasText);
    return { label, pictures: names.map(readPictureFile), passes: context.quick ? 1 : passes, samples: {} };
  });
  await inRounds(context, {
    cells,
    contestants: () => [ENSEMBLE, CALLS],
    measure: ({ title }, { pictures, passes }) =>
      timeServer(server, readers.get(title)!, CALLERS, pictures, pictures.length * passes),
    tell: ({ throughput }) => `${figure(throughput)} pictures/s`,
  });
  return cells.map(({ label, samples }) => ({ label, samples }));
}

const ratio = (cell: Cell<OcrSample>) => over(cell, CALLS.title, ENSEMBLE.title, "throughput");

function body(cells: OcrBlsFigures): string {
  const rows = cells.flatMap((cell) => Object.keys(cell.samples).map((title) => ({ cell, title })));
  return columns(rows, [
    ["", ({ cell, title }) => `${cell.label}, ${title}`],
    ["pictures/s", ({ cell, title }) => withSpread(series(cell, title, "throughput"))],
    ["CPU a picture, ms", ({ cell, title }) => withSpread(series(cell, title, "cpuMs"))],
    ["/ ensemble", ({ cell, title }) => (title === CALLS.title ? withSpread(ratio(cell)) : "1")],
  ]);
}

export const ocrBls: Part<OcrBlsFigures> = {
  name: "ocr_bls",
  about: "ocr as one model that calls the networks, beside the ensemble",
  measure: (context) =>
    context.withServer((server) => measure(context, server), {
      repository: path.join(packageRoot, "model_repository"),
      args: ["--load-model=ocr", "--load-model=ocr_bls"],
    }),
  sections: (cells) => ({ "Text in pictures, by calls": body(cells) }),
  verdicts: (cells) =>
    SETS.map(({ label, aim }) =>
      verdict(
        `ocr_bls on ${label}: at least ${aim} times the ensemble's pictures a second`,
        cells.filter((cell) => cell.label === label).flatMap((cell) => finding(ratio(cell), `${CALLERS} at a time`)),
        { atLeast: aim },
      ),
    ),
};
