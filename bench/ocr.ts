// SPDX-License-Identifier: Apache-2.0
// The ensemble `ocr` beside the pipeline that Python users run on the same networks. About 5 minutes with five rounds.

import path from "node:path";
import { coreCount } from "../backends/onnxruntime/session_options.ts";
import { pictureNames, readPictureFile } from "../test/ocr/accuracy.ts";
import type { ReadPicture } from "../test/ocr/pipeline.ts";
import { serverReader } from "../test/ocr/server_reader.ts";
import { table } from "./markdown.ts";
import { figure, mebibytes, spread, withSpread } from "./numbers.ts";
import { disagreements } from "./ocr_agreement.ts";
import { Reference, type Timing, type Way } from "./ocr_reference.ts";
import { best, type Concurrency, keptRows, type OcrRow, ratios, throughputs, WAYS_KEPT } from "./ocr_rows.ts";
import type { Part, PartContext, Section, Verdict } from "./part.ts";
import { cpuMicroseconds, memory } from "./proc.ts";
import type { Server } from "./server.ts";
import { ROOT } from "./setup.ts";
import { turnOf } from "./turn.ts";
import { verdict } from "./verdict.ts";

const CONCURRENCIES: readonly Concurrency[] = [1, 4];
const AIMS: Readonly<Record<Concurrency, number>> = { 1: 1, 4: 1.3 };
/** How often the set of pictures is read in a measurement. */
const PASSES: Readonly<Record<Concurrency, number>> = { 1: 1, 4: 2 };

/** The reference may be called in any of these ways; the fastest counts. */
function waysOf(cores: number, concurrency: Concurrency): Way[] {
  const shared = { title: `one object, ${cores} threads a network`, objects: 1, threads: cores, shared: true };
  if (concurrency === 1) return [shared];
  return [
    shared,
    { title: "one object, each caller in its own thread", objects: 1, threads: 1, shared: true },
    { title: `${concurrency} objects of one thread`, objects: concurrency, threads: 1, shared: false },
    { title: `${cores} objects of one thread, lent in turn`, objects: cores, threads: 1, shared: false },
  ];
}

export interface OcrFigures {
  pictures: number;
  lines: number;
  cores: number;
  versions: Record<string, string>;
  rows: OcrRow[];
  /** Of the server with all steps, and of the reference with one object, after the rounds with one caller; KiB. */
  serverPssKib: number;
  referencePssKib: number;
}

const OURS = "ensemble `ocr`";

/** Callers take pictures in turn, over and over; the clock stops when `count` are read, as in ocr_reference.py. */
async function timeServer(
  server: Server,
  read: ReadPicture,
  callers: number,
  pictures: readonly Uint8Array[],
  count: number,
): Promise<Timing> {
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
  return timing!;
}

/** Throws when the server and the reference do not read the same. Gives the number of lines. */
async function check(read: ReadPicture, reference: Reference, threads: number): Promise<number> {
  let lines = 0;
  for (const name of pictureNames()) {
    const found = await read(readPictureFile(name));
    const differences = disagreements(found, await reference.read(name, threads));
    if (differences.length > 0) {
      throw new Error(`The ensemble and the reference read ${name} differently: ${differences.join("; ")}.`);
    }
    lines += found.length;
  }
  return lines;
}

interface Contestant {
  row: OcrRow;
  time(): Promise<Timing>;
}

async function runRounds(context: PartContext, contestants: Contestant[], count: number): Promise<void> {
  let taking = contestants;
  for (let round = 0; round < context.rounds; round++) {
    for (const { row, time } of turnOf(taking, round)) {
      const timing = await time();
      const throughput = count / timing.seconds;
      row.samples.push({ ...timing, throughput, cpuMs: (timing.cpu_seconds * 1000) / count });
      context.say(
        `ocr: round ${round + 1}/${context.rounds}, ${row.title} x ${row.concurrency}: ${figure(throughput)} pictures/s`,
      );
    }
    if (round > 0) continue;
    const kept = keptRows(taking.map(({ row }) => row));
    taking = taking.filter(({ row }) => kept.includes(row));
  }
}

async function measureWith(context: PartContext, server: Server, reference: Reference): Promise<OcrFigures> {
  const names = pictureNames();
  const pictures = names.map(readPictureFile);
  const cores = coreCount();
  const read = serverReader(server.httpUrl);
  const lines = await check(read, reference, cores);
  context.say(`ocr: ${lines} lines in ${names.length} pictures, read alike by both`);
  const rows: OcrRow[] = [];
  const pss = { server: 0, reference: 0 };
  for (const concurrency of CONCURRENCIES) {
    const count = names.length * (context.quick ? 1 : PASSES[concurrency]);
    const addRow = (title: string, ours: boolean): OcrRow => {
      const row: OcrRow = { concurrency, title, ours, samples: [] };
      rows.push(row);
      return row;
    };
    const contestants: Contestant[] = [
      { row: addRow(OURS, true), time: () => timeServer(server, read, concurrency, pictures, count) },
    ];
    for (const way of waysOf(cores, concurrency)) {
      await reference.warm(way, context.quick ? names.slice(-1) : names);
      contestants.push({
        row: addRow(`rapidocr: ${way.title}`, false),
        time: () => reference.run(way, concurrency, names, count),
      });
    }
    await runRounds(context, contestants, count);
    if (concurrency > 1) continue;
    pss.server = memory([server.pid, ...server.children()]).pssKib;
    pss.reference = memory([reference.pid]).pssKib;
  }
  return {
    pictures: names.length,
    lines,
    cores,
    versions: await reference.versions(),
    rows,
    serverPssKib: pss.server,
    referencePssKib: pss.reference,
  };
}

async function measure(context: PartContext): Promise<OcrFigures> {
  const reference = await Reference.start(context.bench, context.say);
  try {
    return await context.withServer((server) => measureWith(context, server, reference), {
      repository: path.join(ROOT, "model_repository"),
      args: ["--load-model=ocr"],
    });
  } finally {
    await reference.stop();
  }
}

function body(figures: OcrFigures): string {
  const rows = figures.rows.map((row) => [
    row.title,
    String(row.concurrency),
    withSpread(spread(throughputs(row))),
    withSpread(spread(row.samples.map((sample) => sample.cpuMs))),
    row.ours ? "" : withSpread(spread(ratios(figures.rows, row))),
  ]);
  return table(["", "callers", "pictures/s", "CPU a picture, ms", "ensemble / this"], rows);
}

function text(figures: OcrFigures): string {
  const { versions, cores } = figures;
  const packages = Object.entries(versions).map(([name, number]) => `${name} ${number}`);
  return [
    `The ensemble of \`model_repository\`, asked over HTTP with the bytes of a picture, beside ${packages.join(", ")} in one`,
    `Python process, which is given the same bytes: the ${figures.pictures} pictures of \`test/pictures\` in turn, the same three ONNX`,
    `files for both, ONNX Runtime of one version on both sides. Both found the same ${figures.lines} lines before anything was timed: in`,
    "the same order, at most 3 pixels apart, at most one letter in ten read otherwise.",
    "",
    "Each side runs the networks in its own way: the ensemble reads crops one by one, padded to 160 pixels, and checks their direction",
    "four at a time; the reference does both in batches, padded to 320. That is less work for the ensemble, and part of the comparison.",
    "",
    `Threads of ONNX Runtime: ${cores} for detection in the ensemble, one for direction and for each of the two instances of recognition;`,
    "of the reference, as the table says. At one caller one network runs at a time on either side. At four callers the reference is called in each way that",
    `its users have; the first round tries them all, the fastest ${WAYS_KEPT} go on, and the aim takes the faster of these.`,
    "",
    `Proportional memory after the rounds with one caller: the server and the processes of its steps ${mebibytes(figures.serverPssKib)} MiB,`,
    `the reference with one object ${mebibytes(figures.referencePssKib)} MiB.`,
  ].join("\n");
}

function sections(figures: OcrFigures): Section[] {
  return [{ heading: "Text in pictures", text: text(figures), body: body(figures) }];
}

function verdicts(figures: OcrFigures): Verdict[] {
  return CONCURRENCIES.map((concurrency) => {
    const way = best(figures.rows, concurrency);
    const findings = way ? [{ value: spread(ratios(figures.rows, way)).median, place: way.title }] : [];
    const aim = `ocr, ${concurrency} at a time: at least ${AIMS[concurrency]} times the pictures a second of rapidocr-onnxruntime`;
    return verdict(aim, findings, { atLeast: AIMS[concurrency] });
  });
}

export const ocr: Part<OcrFigures> = {
  name: "ocr",
  about: "the ensemble ocr beside rapidocr-onnxruntime in Python",
  measure,
  sections,
  verdicts,
};
