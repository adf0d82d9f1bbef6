// SPDX-License-Identifier: Apache-2.0
// The ensemble `ocr` beside the pipeline that Python users run on the same networks. About 5 minutes with five rounds.

import path from "node:path";
import { coreCount } from "../backends/onnxruntime/session_options.ts";
import { packageRoot } from "../server/package_root.ts";
import { cpuMicroseconds, memory } from "../server/processes.ts";
import { disagreements, pictureNames, readPictureFile } from "../test/ocr/accuracy.ts";
import type { ReadPicture } from "../test/ocr/pipeline.ts";
import { serverReader } from "../test/ocr/server_reader.ts";
import { type Cell, highlight, inRounds, over, series } from "./grid.ts";
import { columns } from "./markdown.ts";
import { figure, mebibytes, median, withSpread } from "./numbers.ts";
import { Reference, referencePython, type Timing, type Way } from "./ocr_reference.ts";
import type { Part, PartContext } from "./part.ts";
import type { Server } from "./server.ts";
import { finding, verdict } from "./verdict.ts";

/** Callers, what the aim asks for, and how often the set of pictures is read in a measurement. */
const SETTINGS = [
  { callers: 1, aim: 1, passes: 1 },
  { callers: 4, aim: 1.3, passes: 2 },
];
/** So many of the reference's ways stay after the first round. */
const WAYS_KEPT = 2;
const OURS = "ensemble `ocr`";

/** The reference may be called in any of these ways, by one caller in the first; the fastest counts. */
const waysOf = (cores: number, callers: number): Way[] => [
  { title: `one object, ${cores} threads a network`, objects: 1, threads: cores, shared: true },
  { title: "one object, each caller in its own thread", objects: 1, threads: 1, shared: true },
  { title: `${callers} objects of one thread`, objects: callers, threads: 1, shared: false },
  { title: `${cores} objects of one thread, lent in turn`, objects: cores, threads: 1, shared: false },
];

export interface OcrSample {
  /** Pictures a second. */
  throughput: number;
  /** Milliseconds of processor time a picture, of the server and its stubs or of the reference's process. */
  cpuMs: number;
}

export interface OcrCell extends Cell<OcrSample> {
  callers: number;
}

const sampleOf = ({ seconds, cpu_seconds }: Timing, count: number): OcrSample => ({
  throughput: count / seconds,
  cpuMs: (cpu_seconds * 1000) / count,
});

export interface OcrFigures {
  pictures: number;
  lines: number;
  cores: number;
  versions: Record<string, string>;
  cells: OcrCell[];
  /** Of the server with all steps, and of the reference with one object, after the rounds with one caller; KiB. */
  serverPssKib: number;
  referencePssKib: number;
}

/** Callers take pictures in turn, over and over; the clock stops when `count` are read, as in ocr_reference.py. */
export async function timeServer(
  server: Server,
  read: ReadPicture,
  callers: number,
  pictures: readonly Uint8Array[],
  count: number,
): Promise<OcrSample> {
  const cpu = () => cpuMicroseconds([server.pid, ...server.children()]);
  const beganCpu = cpu();
  const began = performance.now();
  let taken = 0;
  let done = 0;
  let timing: Timing | undefined;
  const call = async () => {
    while (done < count) {
      await read(pictures[taken++ % pictures.length]!);
      if (++done === count) {
        timing = { seconds: (performance.now() - began) / 1000, cpu_seconds: (cpu() - beganCpu) / 1e6 };
      }
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  return sampleOf(timing!, count);
}

/** Throws when the server and the reference do not read the same. Gives the number of lines. */
async function check(read: ReadPicture, { ready }: Reference): Promise<number> {
  let lines = 0;
  for (const [name, expected] of Object.entries(ready.lines)) {
    const differences = disagreements(await read(readPictureFile(name)), expected);
    if (differences.length > 0) {
      throw new Error(`The ensemble and the reference read ${name} differently: ${differences.join("; ")}.`);
    }
    lines += expected.length;
  }
  return lines;
}

const throughput = (cell: OcrCell, title: string) => series(cell, title, "throughput");
const byThroughput = (cell: OcrCell, titles: readonly string[]) =>
  [...titles].sort((a, b) => median(throughput(cell, b)) - median(throughput(cell, a)));
const waysIn = (cell: OcrCell) => Object.keys(cell.samples).filter((title) => title !== OURS);

/** Whether it goes on after the first round: ours, and the fastest of the ways. */
export const goesOn = (cell: OcrCell, title: string): boolean =>
  title === OURS || byThroughput(cell, waysIn(cell)).slice(0, WAYS_KEPT).includes(title);

/** The fastest way of the reference, of those that took part in all rounds. */
export function best(cell: OcrCell): string | undefined {
  const rounds = Math.max(...waysIn(cell).map((title) => cell.samples[title]!.length));
  return byThroughput(
    cell,
    waysIn(cell).filter((title) => cell.samples[title]!.length === rounds),
  )[0];
}

/** All rounds of one number of callers, beside the references by their titles. */
async function measureCell(
  context: PartContext,
  server: Server,
  references: ReadonlyMap<string, Reference>,
  { callers, passes }: (typeof SETTINGS)[number],
): Promise<OcrCell> {
  const names = pictureNames();
  const pictures = names.map(readPictureFile);
  const count = names.length * (context.quick ? 1 : passes);
  const read = serverReader(server.client.host);
  const cell: OcrCell = { label: `ocr x ${callers}`, callers, samples: {} };
  const contestants = [OURS, ...references.keys()].map((title) => ({ title }));
  let taking = contestants;
  await inRounds(context, {
    cells: [cell],
    contestants: (_, round) => {
      if (round === 1) taking = contestants.filter(({ title }) => goesOn(cell, title));
      return taking;
    },
    measure: async ({ title }) => {
      const reference = references.get(title);
      if (reference === undefined) return timeServer(server, read, callers, pictures, count);
      return sampleOf(await reference.run(callers, names, count), count);
    },
    tell: (sample) => `${figure(sample.throughput)} pictures/s`,
  });
  return cell;
}

async function measure(context: PartContext): Promise<OcrFigures> {
  const [names, cores] = [pictureNames(), coreCount()];
  const [alone, four] = SETTINGS;
  const [first, ...others] = waysOf(cores, four!.callers);
  const python = await referencePython(context.bench, context.say);
  const references = new Map<string, Reference>();
  const add = async (way: Way, pictures: readonly string[]) => {
    const reference = await Reference.start(python, way, pictures);
    references.set(`rapidocr: ${way.title}`, reference);
    return reference;
  };
  const run = async (server: Server): Promise<OcrFigures> => {
    const reference = await add(first!, names);
    const lines = await check(serverReader(server.client.host), reference);
    context.say(`ocr: ${lines} lines in ${names.length} pictures, read alike by both`);
    const cells = [await measureCell(context, server, references, alone!)];
    const serverPssKib = memory([server.pid, ...server.children()]).pssKib;
    const referencePssKib = memory([reference.pid]).pssKib;
    for (const way of others) await add(way, context.quick ? names.slice(-1) : names);
    cells.push(await measureCell(context, server, references, four!));
    const { versions } = reference.ready;
    return { pictures: names.length, lines, cores, versions, cells, serverPssKib, referencePssKib };
  };
  try {
    const options = { repository: path.join(packageRoot, "model_repository"), args: ["--load-model=ocr"] };
    return await context.withServer(run, options);
  } finally {
    for (const reference of references.values()) await reference.stop();
  }
}

/** Throughput of the ensemble as a multiple of a way's, round by round. */
const ratios = (cell: OcrCell, way: string) => over(cell, OURS, way, "throughput");

function body({ cells, versions, pictures, lines, cores, serverPssKib, referencePssKib }: OcrFigures): string {
  const rows = cells.flatMap((cell) => Object.keys(cell.samples).map((title) => ({ cell, title })));
  const packages = Object.entries(versions).map(([name, number]) => `${name} ${number}`);
  const tables = columns(rows, [
    ["", ({ title }) => title],
    ["callers", ({ cell }) => String(cell.callers)],
    ["pictures/s", ({ cell, title }) => withSpread(throughput(cell, title))],
    ["CPU a picture, ms", ({ cell, title }) => withSpread(series(cell, title, "cpuMs"))],
    ["ensemble / this", ({ cell, title }) => (title === OURS ? "" : withSpread(ratios(cell, title)))],
  ]);
  return `${tables}

The reference is ${packages.join(", ")}. Both found the same ${lines} lines in the ${pictures} pictures. The ensemble has ${cores} threads for
detection, one for direction and for each of the two instances of recognition. Proportional memory after the rounds with one caller: the
server and the processes of its steps ${mebibytes(serverPssKib)} MiB, the reference with one object ${mebibytes(referencePssKib)} MiB.`;
}

export const ocr: Part<OcrFigures> = {
  name: "ocr",
  about: "the ensemble ocr beside rapidocr-onnxruntime in Python",
  measure,
  sections: (figures) => ({ "Text in pictures": body(figures) }),
  verdicts: ({ cells }) =>
    SETTINGS.map(({ callers, aim }) => {
      const cell = cells.find((one) => one.callers === callers);
      const way = cell && best(cell);
      const what = `ocr, ${callers} at a time: at least ${aim} times the pictures a second of rapidocr-onnxruntime`;
      return verdict(what, cell && way ? finding(ratios(cell, way), way) : [], { atLeast: aim });
    }),
  highlights: ({ cells }) => {
    const busy = cells.find(({ callers }) => callers === 4);
    const way = busy && best(busy);
    const what = "text in pictures beside rapidocr-onnxruntime, 4 at a time: pictures/s";
    return way ? highlight(what, busy, OURS, way, "throughput") : [];
  },
};
