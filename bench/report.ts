// SPDX-License-Identifier: Apache-2.0
// The results as a page: docs/performance.md.

import { aboveFloor, type Cell, figures, type Sample, throughputOver } from "./identity.ts";
import { growthKib } from "./instance.ts";
import { figure, mebibytes, type Spread, withSpread } from "./numbers.ts";
import { type Results, verdicts } from "./results.ts";
import { SUBJECTS, type SubjectName } from "./subjects.ts";

type Row = readonly string[];

/** A Markdown table; all columns but the first are aligned to the right, where figures belong. */
export function table(head: Row, rows: readonly Row[], others: "left" | "right" = "right"): string {
  const line = (cells: Row) => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, i) => (i === 0 || others === "left" ? "---" : "---:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

const optional = (s: Spread | undefined) => (s ? withSpread(s) : "-");
const title = (name: SubjectName) => SUBJECTS[name].title;
const place = (cell: Cell) => `${cell.size.label} x ${cell.concurrency}`;

function ours(results: Results): SubjectName[] {
  return results.subjects.filter((name) => name.startsWith("typescript"));
}

/** One row a cell: the figure of every subject, then ratios of ours. */
function cellTable(
  results: Results,
  key: keyof Sample,
  ratios: readonly {
    head: (name: SubjectName) => string;
    value: (cell: Cell, name: SubjectName) => Spread | undefined;
  }[],
): string {
  const columns = ratios.flatMap((ratio) => ours(results).map((name) => ({ ratio, name })));
  const head = ["cell", ...results.subjects.map(title), ...columns.map(({ ratio, name }) => ratio.head(name))];
  const rows = (results.identity ?? []).map((cell) => [
    place(cell),
    ...results.subjects.map((name) => optional(figures(cell, name, key))),
    ...columns.map(({ ratio, name }) => optional(ratio.value(cell, name))),
  ]);
  return table(head, rows);
}

export function backendTimeTable(results: Results): string {
  return cellTable(results, "backendUs", [
    { head: (name) => `${title(name)}: share of python above floor`, value: aboveFloor },
  ]);
}

export function throughputTable(results: Results): string {
  return cellTable(results, "throughput", [
    { head: (name) => `${title(name)} / python`, value: (cell, name) => throughputOver(cell, name, "python") },
    { head: (name) => `${title(name)} / floor`, value: (cell, name) => throughputOver(cell, name, "floor") },
  ]);
}

function latencyTable(results: Results): string {
  const rows = (results.identity ?? []).map((cell) => [
    place(cell),
    ...results.subjects.map((name) =>
      (["p50Us", "p99Us"] as const).map((key) => figure(figures(cell, name, key)?.median ?? Number.NaN)).join(" / "),
    ),
  ]);
  return table(["cell", ...results.subjects.map(title)], rows);
}

export function instanceTable(results: Results): string {
  const rows = (results.instance ?? []).map((entry) => [
    title(entry.subject),
    withSpread(entry.loadMs),
    mebibytes(entry.idle.rssKib),
    mebibytes(entry.idle.pssKib),
    String(entry.processes),
    String(entry.threads),
    String(entry.serverThreads),
  ]);
  const head = [
    "",
    "load, ms",
    "resident, MiB",
    "proportional, MiB",
    "processes",
    "their threads",
    "threads in the server",
  ];
  return table(head, rows);
}

export function flatnessTable(results: Results): string {
  const entries = results.flatness ?? [];
  const rows = entries.map((entry) => [
    title(entry.subject),
    ...entry.serverKib.map((kib, i) => `${mebibytes(kib)} + ${mebibytes(entry.stubKib[i] ?? 0)}`),
    mebibytes(growthKib(entry)),
  ]);
  const readings = entries[0]?.serverKib.map((_, i) => `after ${(i + 1) * entries[0]!.step}`) ?? [];
  return table(["server + stub, MiB", ...readings, "gained"], rows);
}

function conditionsTable(results: Results): string {
  const c = results.conditions;
  return table(
    ["condition", "value"],
    [
      ["date", c.date],
      ["command", `\`${c.command}\``],
      ["processor", `${c.cpu}, ${c.cores} cores; client, server and stubs share them`],
      ["memory", `${c.memoryGib} GiB`],
      ["system", `${c.distribution}, Linux ${c.kernel}`],
      ["load before the run", figure(c.loadAverage)],
      ["server", `${c.triton}, no GPU`],
      ["this package", `${c.package}, stubs on Node ${c.node}`],
      ["python_backend", `of the same server, Python ${c.python}, numpy ${c.numpy}`],
      ["rounds", `${results.rounds}, three windows of ${results.windowMs} ms for each cell and backend`],
    ],
    "left",
  );
}

function aims(results: Results): string {
  const list = verdicts(results);
  if (list.length === 0) return "This run measured nothing that an aim is set for.";
  const rows = list.map((entry) => [entry.aim, entry.met ? "met" : "**missed**", entry.worst]);
  const missed = list.filter((entry) => !entry.met).length;
  const summary = missed === 0 ? "All aims are met." : `${missed} of ${list.length} aims are missed.`;
  return `${table(["aim", "result", "worst median"], rows, "left")}\n\n${summary}`;
}

const HOW = `An identity model returns its FP32 input unchanged, so that only the way to the model and back is measured. All
backends serve the same \`config.pbtxt\` (no batching, one instance on the CPU) from one server, in one run. In each round
every cell is measured for every backend in turn, a few seconds apart, and another backend begins in each round.
\`perf_analyzer\` sends over gRPC with tensors in system shared memory. A cell is named by the size of its tensor and the
number of concurrent requests. Before anything is timed, the answers of every backend are compared with random inputs.

- The **floor** is a backend in C that only copies each input into its output: what no backend can avoid.
- **typescript** makes its output with \`new Tensor(name, input.data, ...)\`, as **python_backend**'s model does with
  \`Tensor(name, input.as_numpy())\`. The aims speak of this one.
- **typescript, allocateOutput** copies the input into an output that was allocated in shared memory, as a model that
  computes would: one copy more than the other models make.
- Figures are medians over the rounds, with the lowest and the highest round in brackets. Ratios are taken within a
  round first.`;

function section(heading: string, text: string, body: string): string {
  return `## ${heading}\n\n${text}\n\n${body}\n`;
}

/** The whole page. Parts that were not measured are left out. */
export function page(results: Results, chart?: string): string {
  const parts = [
    "# Performance\n",
    "This page is written by `npm run bench`; do not edit it by hand.\n",
    section("Result", "The aims of the project against the worst cell of this run.", aims(results)),
  ];
  if (chart) parts.push(`![Backend time above the floor, as a share of python_backend's](${chart})\n`);
  parts.push(section("How it is measured", HOW, conditionsTable(results)));
  if (results.identity) {
    parts.push(
      section(
        "Backend time",
        "Microseconds a request spends in the backend, as the server's statistics state it (compute input, infer and output).\nA wait behind another request counts as time in the queue. For typescript that includes waits inside the backend, where\nshort requests are handed over ahead of time; throughput and the client's latency below have all of it.\nThe last columns subtract the floor on both sides: 0.5 means half of python_backend's cost.",
        backendTimeTable(results),
      ),
      section("Throughput", "Requests per second, as the client sees them.", throughputTable(results)),
      section("Latency", "Median and 99th percentile that the client sees, in microseconds.", latencyTable(results)),
      section(
        "Processor time",
        "Microseconds of processor time per request, server and stubs together (the other stubs are idle).",
        cellTable(results, "cpuUs", []),
      ),
    );
  }
  if (results.instance) {
    parts.push(
      section(
        "An instance",
        "Time from the load call to a ready model, and what its processes hold one second after one small request. The\nproportional figure divides shared pages among the processes that map them.",
        instanceTable(results),
      ),
    );
  }
  if (results.flatness) {
    parts.push(
      section(
        "Memory over many requests",
        "Resident memory of the server and of the stub while requests of 64 KiB come in at concurrency 8. The first reading is\ntaken after a warm-up, and what is gained counts from there.",
        flatnessTable(results),
      ),
    );
  }
  parts.push(
    section(
      "Repeating it",
      "The command makes all it needs below `build/bench`. It wants an otherwise idle machine.",
      [
        "```sh",
        "npm run bench                          # everything; rewrites this page",
        "npm run bench -- identity --only 64B   # one part, one size",
        "npm run bench -- --quick               # under three minutes; says whether it works, not how fast",
        "```",
      ].join("\n"),
    ),
  );
  return parts.join("\n");
}
