// SPDX-License-Identifier: Apache-2.0
// The identity cells as tables.

import {
  aboveFloor,
  backendTimeOverFloor,
  type Cell,
  figures,
  type IdentityFigures,
  label,
  processorTimeOver,
  type Sample,
  throughputOver,
} from "./identity_cells.ts";
import { table } from "./markdown.ts";
import { figure, type Spread, withSpread } from "./numbers.ts";
import type { Section } from "./part.ts";
import { SUBJECTS, type SubjectName } from "./subjects.ts";

interface Ratio {
  head(name: SubjectName): string;
  value(cell: Cell, name: SubjectName): Spread | undefined;
}

const optional = (s: Spread | undefined) => (s ? withSpread(s) : "-");
const title = (name: SubjectName) => SUBJECTS[name].title;

/** One row a cell: the figure of every subject, then ratios of ours. */
function cellTable(all: IdentityFigures, key: keyof Sample, ratios: readonly Ratio[] = []): string {
  const ours = all.subjects.filter((name) => name.startsWith("typescript"));
  const columns = ratios.flatMap((ratio) => ours.map((name) => ({ ratio, name })));
  const head = ["cell", ...all.subjects.map(title), ...columns.map(({ ratio, name }) => ratio.head(name))];
  const rows = all.cells.map((cell) => [
    label(cell),
    ...all.subjects.map((name) => optional(figures(cell, name, key))),
    ...columns.map(({ ratio, name }) => optional(ratio.value(cell, name))),
  ]);
  return table(head, rows);
}

function latencyTable(all: IdentityFigures): string {
  const rows = all.cells.map((cell) => [
    label(cell),
    ...all.subjects.map((name) =>
      (["p50Us", "p99Us"] as const).map((key) => figure(figures(cell, name, key)?.median ?? Number.NaN)).join(" / "),
    ),
  ]);
  return table(["cell", ...all.subjects.map(title)], rows);
}

const ABOUT = `An identity model returns its FP32 input unchanged, so that only the way to the model and back is measured. All
backends serve the same \`config.pbtxt\` (no batching, one instance on the CPU) from one server. \`perf_analyzer\` sends over
gRPC. A cell is named by the size of its tensor and the number of concurrent requests. Tensors lie in system shared memory
that the client has registered; in the cells that say so they are inside the messages instead. From 16 KiB on the
typescript backend reads an input where it lies; below, the copy costs less than finding that out.

- The **floor** is a backend in C that only copies each input into its output: what no backend can avoid.
- **typescript** makes its output with \`new Tensor(name, input.data, ...)\`, as **python_backend**'s model does with
  \`Tensor(name, input.as_numpy())\`. The aims speak of this one.
- **typescript, allocateOutput** copies the input into an output that was allocated in shared memory, as a model that
  computes would: one copy more than the other models make.

Microseconds a request spends in the backend, as the server's statistics state it (compute input, infer and output).
A wait behind another request counts as time in the queue. For typescript that includes waits inside the backend, where
short requests are handed over ahead of time; throughput and the client's latency below have all of it.
The shares subtract the floor on both sides: 0.5 means half of python_backend's cost. A round in which python_backend takes
no longer than the floor counts as ∞, or as 0 where typescript takes no longer, either. The last columns are plain ratios.`;

export function identitySections(all: IdentityFigures): Section[] {
  return [
    {
      heading: "Identity: backend time",
      text: ABOUT,
      body: cellTable(all, "backendUs", [
        { head: (name) => `${title(name)}: share of python above floor`, value: aboveFloor },
        { head: (name) => `${title(name)} / floor`, value: backendTimeOverFloor },
      ]),
    },
    {
      heading: "Identity: throughput",
      text: "Requests per second, as the client sees them.",
      body: cellTable(all, "throughput", [
        { head: (name) => `${title(name)} / python`, value: (cell, name) => throughputOver(cell, name, "python") },
        { head: (name) => `${title(name)} / floor`, value: (cell, name) => throughputOver(cell, name, "floor") },
      ]),
    },
    {
      heading: "Identity: latency",
      text: "Median and 99th percentile that the client sees, in microseconds.",
      body: latencyTable(all),
    },
    {
      heading: "Identity: processor time",
      text: "Microseconds of processor time per request, server and stubs together (the other stubs are idle).",
      body: cellTable(all, "cpuUs", [
        { head: (name) => `${title(name)} / python`, value: (cell, name) => processorTimeOver(cell, name, "python") },
        { head: (name) => `${title(name)} / floor`, value: (cell, name) => processorTimeOver(cell, name, "floor") },
      ]),
    },
  ];
}
