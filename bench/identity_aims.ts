// SPDX-License-Identifier: Apache-2.0
// What the identity cells are held against. One row is one verdict.

import {
  aboveFloor,
  backendTimeOverFloor,
  type Cell,
  findings,
  processorTimeOver,
  throughputOver,
} from "./identity_cells.ts";
import type { Spread } from "./numbers.ts";
import type { Verdict } from "./part.ts";
import { JUDGED, type SubjectName } from "./subjects.ts";
import { type Limit, verdict } from "./verdict.ts";

interface Aim {
  text: string;
  /** The cells that it speaks of. */
  cells(cell: Cell): boolean;
  ratio(cell: Cell, name: SubjectName): Spread | undefined;
  limit: Limit;
}

const SMALL_BYTES = 64 << 10;

const small = (cell: Cell) => cell.size.bytes <= SMALL_BYTES;
const shared = (cell: Cell) => cell.memory === "shared";
const message = (cell: Cell) => cell.memory === "message";
const busy = (cell: Cell) => shared(cell) && cell.concurrency === 8;

const overFloor = (cell: Cell, name: SubjectName) => throughputOver(cell, name, "floor");
const overPython = (cell: Cell, name: SubjectName) => throughputOver(cell, name, "python");

export const AIMS: readonly Aim[] = [
  {
    text: "backend time above the floor at most 0.25 of python_backend's, up to 64 KiB",
    cells: (cell) => shared(cell) && small(cell),
    ratio: aboveFloor,
    limit: { atMost: 0.25 },
  },
  {
    text: "backend time above the floor at most 0.35 of python_backend's, above 64 KiB",
    cells: (cell) => shared(cell) && !small(cell),
    ratio: aboveFloor,
    limit: { atMost: 0.35 },
  },
  {
    text: "the same with tensors inside the messages: at most 0.25 up to 64 KiB",
    cells: (cell) => message(cell) && small(cell),
    ratio: aboveFloor,
    limit: { atMost: 0.25 },
  },
  {
    text: "the same with tensors inside the messages: at most 0.35 above 64 KiB",
    cells: (cell) => message(cell) && !small(cell),
    ratio: aboveFloor,
    limit: { atMost: 0.35 },
  },
  {
    text: "with tensors in a client's registered shared memory at or under the floor, at every size",
    cells: shared,
    ratio: backendTimeOverFloor,
    limit: { atMost: 1 },
  },
  {
    text: "throughput at concurrency 8 at least 0.8 times the floor's, up to 64 KiB",
    cells: (cell) => busy(cell) && small(cell),
    ratio: overFloor,
    limit: { atLeast: 0.8 },
  },
  {
    text: "throughput at concurrency 8 at least 0.6 times the floor's, above 64 KiB",
    cells: (cell) => busy(cell) && !small(cell),
    ratio: overFloor,
    limit: { atLeast: 0.6 },
  },
  {
    text: "throughput at concurrency 8 at least twice python_backend's, at every size",
    cells: busy,
    ratio: overPython,
    limit: { atLeast: 2 },
  },
  {
    text: "processor time of a request, server and stub, at most python_backend's, in every cell",
    cells: () => true,
    ratio: (cell, name) => processorTimeOver(cell, name, "python"),
    limit: { atMost: 1 },
  },
];

export function identityVerdicts(cells: readonly Cell[]): Verdict[] {
  return AIMS.map((aim) => verdict(aim.text, findings(cells.filter(aim.cells), JUDGED, aim.ratio), aim.limit));
}
