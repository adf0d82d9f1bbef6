// SPDX-License-Identifier: Apache-2.0
// What a request costs: every subject in turn, in every cell, in every round. About seven minutes.

import { askInSharedMemory } from "./answers.ts";
import { charts } from "./chart.ts";
import { highlight, inRounds, series } from "./grid.ts";
import {
  aboveFloor,
  type IdentityCell,
  type IdentityFigures,
  overFloor,
  overPython,
  type Ratio,
} from "./identity_cells.ts";
import { type LoadSample, measureLoad } from "./load.ts";
import { type Column, columns } from "./markdown.ts";
import { checkEcho, FLOOR, isJudged, OURS, PYTHON, withModels } from "./models.ts";
import { figure, median, withSpread } from "./numbers.ts";
import type { Part, PartContext } from "./part.ts";
import type { Server } from "./server.ts";
import { finding, type Limit, type Verdict, verdict } from "./verdict.ts";

/** Sizes that are also measured with the tensors inside the messages. */
const IN_MESSAGES: readonly string[] = ["64KiB", "1MiB"];

function emptyCells({ sizes, concurrencies }: PartContext): IdentityCell[] {
  const inMessages = sizes.filter(({ label }) => IN_MESSAGES.includes(label));
  const all = [
    ...sizes.map((size) => ({ ...size, memory: "shared" as const, suffix: "" })),
    ...inMessages.map((size) => ({ ...size, memory: "message" as const, suffix: ", in messages" })),
  ];
  return all.flatMap(({ label, suffix, ...size }) =>
    concurrencies.map((n) => ({ ...size, label: `${label} x ${n}${suffix}`, concurrency: n, samples: {} })),
  );
}

async function measure(context: PartContext, server: Server): Promise<IdentityFigures> {
  const { subjects, sizes, windowMs, say } = context;
  const cells = emptyCells(context);
  const run = () => {
    say(`answers of ${subjects.length} backends checked at ${sizes.map((size) => size.label).join(", ")}`);
    return inRounds(context, {
      cells,
      contestants: () => subjects,
      // The references decide with those that the aims speak of.
      isJudged: (who) => isJudged(who) || who.title === FLOOR || who.title === PYTHON,
      measure: (who, { bytes, concurrency, memory }) =>
        measureLoad(server, who, { bytes, concurrency, memory, windowMs }),
      tell: (sample) => `backend ${figure(sample.backendUs)} us, ${figure(sample.throughput)}/s`,
    });
  };
  await withModels(server, subjects, run, async (model) => {
    for (const { bytes } of sizes) {
      await checkEcho(server.client, model, bytes);
      await checkEcho(server.client, model, bytes, askInSharedMemory);
    }
  });
  return { subjects: subjects.map(({ title }) => title), cells };
}

type Which = (cell: IdentityCell) => boolean;

const all =
  (...which: Which[]): Which =>
  (cell) =>
    which.every((is) => is(cell));
const small: Which = ({ bytes }) => bytes <= 64 << 10;
const large: Which = (cell) => !small(cell);
const shared: Which = ({ memory }) => memory === "shared";
const message: Which = ({ memory }) => memory === "message";
const busy: Which = (cell) => shared(cell) && cell.concurrency === 8;

const TIME = "backend time above the floor at most";
const IN_MESSAGE = "the same with tensors inside the messages: at most";
const IN_CLIENT = "with tensors in a client's registered shared memory";
const SPEED = "throughput at concurrency 8 at least";
const COST = "processor time of a request, server and stub,";

/** One row is one verdict: the cells that it speaks of, and what is held against which limit there. */
const AIMS: readonly (readonly [aim: string, cells: Which, ratio: Ratio, limit: Limit])[] = [
  [`${TIME} 0.25 of python_backend's, up to 64 KiB`, all(shared, small), aboveFloor, { atMost: 0.25 }],
  [`${TIME} 0.35 of python_backend's, above 64 KiB`, all(shared, large), aboveFloor, { atMost: 0.35 }],
  [`${IN_MESSAGE} 0.25 up to 64 KiB`, all(message, small), aboveFloor, { atMost: 0.25 }],
  [`${IN_MESSAGE} 0.35 above 64 KiB`, all(message, large), aboveFloor, { atMost: 0.35 }],
  [`${IN_CLIENT} at or under the floor, at every size`, shared, overFloor("backendUs"), { atMost: 1 }],
  [`${SPEED} 0.8 times the floor's, up to 64 KiB`, all(busy, small), overFloor("throughput"), { atLeast: 0.8 }],
  [`${SPEED} 0.6 times the floor's, above 64 KiB`, all(busy, large), overFloor("throughput"), { atLeast: 0.6 }],
  [`${SPEED} twice python_backend's, at every size`, busy, overPython("throughput"), { atLeast: 2 }],
  [`${COST} at most python_backend's, in every cell`, () => true, overPython("cpuUs"), { atMost: 1 }],
];

export const identityVerdicts = (cells: readonly IdentityCell[]): Verdict[] =>
  AIMS.map(([aim, isMeant, ratio, limit]) => {
    const findings = cells.filter(isMeant).flatMap((cell) => finding(ratio(cell, OURS), `${cell.label}, ${OURS}`));
    return verdict(aim, findings, limit);
  });

const HIGHLIGHTS: Readonly<Record<string, string>> = {
  "64B x 1": "64 bytes, one client",
  "64B x 8": "64 bytes, 8 clients",
  "64KiB x 8, in messages": "64 KiB in gRPC messages, 8 clients",
  "1MiB x 8": "1 MiB, 8 clients",
};

const spreads = (key: keyof LoadSample) => (cell: IdentityCell, title: string) => withSpread(series(cell, title, key));
const latency = (cell: IdentityCell, title: string) =>
  (["p50Us", "p99Us"] as const).map((key) => figure(median(series(cell, title, key)))).join(" / ");

/** One row a cell: the figure of every subject, then ratios of ours, by what stands behind the title. */
function cellTable(
  { subjects, cells }: IdentityFigures,
  of: (cell: IdentityCell, title: string) => string,
  ratios: Readonly<Record<string, Ratio>> = {},
): string {
  const ours = subjects.filter((title) => title.startsWith(OURS));
  return columns(cells, [
    ["cell", (cell) => cell.label],
    ...subjects.map((title): Column<IdentityCell> => [title, (cell) => of(cell, title)]),
    ...Object.entries(ratios).flatMap(([what, ratio]) =>
      ours.map((title): Column<IdentityCell> => [`${title}${what}`, (cell) => withSpread(ratio(cell, title))]),
    ),
  ]);
}

const besideBoth = (key: keyof LoadSample) => ({ " / python": overPython(key), " / floor": overFloor(key) });

export const identity: Part<IdentityFigures> = {
  name: "identity",
  about: "what a request costs, by size and concurrency",
  measure: (context) => context.withServer((server) => measure(context, server)),
  sections: (figures) => ({
    "Identity: backend time": cellTable(figures, spreads("backendUs"), {
      ": share of python above floor": aboveFloor,
      " / floor": overFloor("backendUs"),
    }),
    "Identity: throughput": cellTable(figures, spreads("throughput"), besideBoth("throughput")),
    "Identity: latency": cellTable(figures, latency),
    "Identity: processor time": cellTable(figures, spreads("cpuUs"), besideBoth("cpuUs")),
  }),
  verdicts: ({ cells }) => identityVerdicts(cells),
  highlights: ({ cells }) =>
    cells.flatMap((cell) => {
      const what = HIGHLIGHTS[cell.label];
      return what ? highlight(`identity, ${what}: requests/s`, cell, OURS, PYTHON, "throughput") : [];
    }),
  pictures: charts,
};
